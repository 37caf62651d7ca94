// Files that are written once and never over another: keys and signed documents.
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '#agent/base/directory.ts';
import { hasCode, messageOf, TidelockError } from '#agent/base/errors.ts';

/** Writes `value` as JSON, as writeNewText() does. */
export const writeNew = (file: string, value: object, mode?: number): Promise<void> =>
  writeNewText(file, `${JSON.stringify(value, null, 2)}\n`, mode);

/**
 * Writes `text` to a file that does not exist yet, synced to disk before it returns.
 * Missing directories are made, for root alone. Errors: FILE_EXISTS, FILE_UNWRITABLE.
 */
export async function writeNewText(
  file: string,
  text: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  try {
    await makeDirectory(dirname(file));
    await using handle = await open(file, 'wx', mode);
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) throw fileExists(file);
    throw new TidelockError('FILE_UNWRITABLE', {
      op: 'file.write',
      message: `Cannot write ${file}: ${messageOf(cause)}`,
      hint: 'Look at the permissions and the free space of the directory, or choose another one with --out.',
      cause,
    });
  }
}

/** The refusal to write over `file`. */
export const fileExists = (file: string): TidelockError =>
  new TidelockError('FILE_EXISTS', {
    op: 'file.write',
    message: `Cannot write ${file}: it exists already`,
    hint: 'Nothing was changed. Choose another --out, or move the file away if it is really not needed.',
  });
