// Making directories, one level at a time.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from './errors.ts';

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
