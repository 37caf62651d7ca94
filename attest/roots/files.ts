// Which files a directory of authorities holds. Links are followed, each target once, and there is an end to
// it: a directory that links to itself, or one that was named by mistake, is refused before it is read.
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TidelockError } from '#agent/base/errors.ts';

/** keylime's store of all makers has 250 files. */
const MAX_ENTRIES = 4096;
const MAX_TOTAL_BYTES = 16 << 20;
const MAX_DEPTH = 8;

/** The most that one file may hold. */
export const MAX_FILE_BYTES = 4 << 20;

/**
 * Files in `directory` and below, each once however many links lead to it, in the order of their names.
 * Names with two dots in front are left out: Kubernetes keeps versions of a mounted ConfigMap there and
 * links to the one in use. Errors: FILE_UNREADABLE beyond the bounds; those of reading for `directory`.
 */
export async function filesIn(directory: string): Promise<string[]> {
  const search = new Search(directory);
  await search.enter(directory, await realpath(directory), 0);
  return search.files;
}

class Search {
  readonly files: string[] = [];
  readonly #directory: string;
  readonly #seen = new Set<string>();
  #entries = 0;
  #totalBytes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async enter(path: string, target: string, depth: number): Promise<void> {
    this.#seen.add(target);
    if (depth > MAX_DEPTH) this.#refuse(`more than ${MAX_DEPTH} levels`);
    for (const name of (await readdir(path)).sort()) {
      this.#entries += 1;
      if (this.#entries > MAX_ENTRIES) this.#refuse(`more than ${MAX_ENTRIES} entries`);
      if (!name.startsWith('..')) await this.#look(join(path, name), depth);
    }
  }

  async #look(path: string, depth: number): Promise<void> {
    const target = await realpath(path).catch(() => undefined); // a link into nowhere, or in a circle
    if (target === undefined || this.#seen.has(target)) return;
    const found = await stat(target);
    if (found.isDirectory()) return this.enter(path, target, depth + 1);
    if (!found.isFile()) return;
    this.#seen.add(target);
    this.#totalBytes += Math.min(found.size, MAX_FILE_BYTES);
    if (this.#totalBytes > MAX_TOTAL_BYTES) this.#refuse(`more than ${MAX_TOTAL_BYTES >> 20} MiB`);
    this.files.push(path);
  }

  #refuse(state: string): never {
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'roots.read',
      message: `Cannot read the roots in ${this.#directory}: it holds ${state}`,
      hint: 'Name a directory that holds the certificates of TPM makers and little else, or make a bundle of them with tidelock roots add.',
    });
  }
}
