// Where a verb writes what it was asked for: a file in a directory that is there. A mistyped path makes no
// directories; those of the agent's own state are made elsewhere.
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { TidelockError } from '#agent/base/errors.ts';

/** The absolute path of a file to write. Errors: FILE_UNWRITABLE when its directory is not there. */
export async function outFile(cwd: string, path: string): Promise<string> {
  const file = resolve(cwd, path);
  const directory = dirname(file);
  if ((await stat(directory).catch(() => undefined))?.isDirectory()) return file;
  throw new TidelockError('FILE_UNWRITABLE', {
    op: 'file.write',
    message: `Cannot write ${file}: there is no directory ${directory}`,
    hint: 'Nothing was made. Correct the path, or make the directory first.',
  });
}
