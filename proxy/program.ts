// What a data plane is made of, as one digest: two of different code never go on from one another.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout or the bundle, which a data plane may read; with its node_modules, if any. */
export const APP_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Where code of a data plane lies in a checkout; a bundle has all of it in its one folder. */
const CODE_FOLDERS = ['proxy', 'agent/base'];
/** Programs, the native addon, and in a checkout the versions of all packages. */
const CODE = /(?:\.(?:ts|mjs|node)|^package-lock\.json)$/;

/** SHA-256 of the names and contents of all code in `folder` that a data plane may load, in hex. */
export function programDigest(folder = APP_FOLDER): string {
  const digest = createHash('sha256');
  const inFolders = CODE_FOLDERS.flatMap((name) => filesIn(folder, name, true));
  for (const path of [...filesIn(folder, '.', false), ...inFolders].sort()) {
    const content = readFileSync(join(folder, path));
    digest.update(`${path}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex');
}

/** Paths from `folder` on of the code below `name`; none where that is not there. */
function filesIn(folder: string, name: string, recursive: boolean): string[] {
  try {
    return readdirSync(join(folder, name), { recursive, encoding: 'utf8' })
      .filter((path) => CODE.test(path))
      .map((path) => join(name, path));
  } catch {
    return [];
  }
}
