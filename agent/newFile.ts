// Files that are written once and never over another: keys and signed documents; and the making of
// directories for what is written.
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

/**
 * Writes `value` as JSON to a file that does not exist yet, synced to disk before it returns.
 * Missing directories are made, for root alone. Errors: FILE_EXISTS, FILE_UNWRITABLE.
 */
export async function writeNew(file: string, value: object, mode = 0o644): Promise<void> {
  try {
    await makeDirectory(dirname(file));
    await using handle = await open(file, 'wx', mode);
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
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

/**
 * Makes `directory` and whatever is missing above it, for root alone; one at a time, because
 * `mkdir` of Node never returns from its `recursive` where the kernel makes none, as in /proc.
 * Errors: that of the file system about the first that cannot be made.
 */
export async function makeDirectory(directory: string): Promise<void> {
  if (await isThere(directory)) return;
  await makeDirectory(dirname(directory)); // ends: the root, or the working directory, is there
  try {
    await mkdir(directory, 0o700);
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST')) throw cause; // somebody else was quicker
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return false;
    throw cause;
  }
}

const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === code;

/** The refusal to write over `file`. */
export const fileExists = (file: string): TidelockError =>
  new TidelockError('FILE_EXISTS', {
    op: 'file.write',
    message: `Cannot write ${file}: it exists already`,
    hint: 'Nothing was changed. Choose another --out, or move the file away if it is really not needed.',
  });
