// Files that are replaced whole, so that no reader ever sees half of one: reports, bundles, revocations.
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '#agent/base/directory.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

/**
 * Writes `text` to `path`, over what was there, in one step; synced to disk before it returns.
 * Errors: FILE_UNWRITABLE.
 */
export async function replaceFile(path: string, text: string, mode = 0o644): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await makeDirectory(dirname(path));
    await rm(draft, { force: true });
    {
      await using file = await open(draft, 'wx', mode);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined); // the directory may be gone altogether
    throw new TidelockError('FILE_UNWRITABLE', {
      op: 'report.write',
      message: `Cannot write ${path}: ${messageOf(cause)}`,
      hint: 'Look at the permissions and the free space of the directory, or choose another one.',
      cause,
    });
  }
}
