// Unpacks the little tar files that samples of sysfs come in (POSIX 1003.1-2001, ustar): directories,
// small files and symbolic links, below a directory that the test owns.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';

const BLOCK_BYTES = 512;

/** Writes every entry of `tar` below `directory`; a name that leads out of it is refused. */
export async function unpackTar(tar: Buffer, directory: string): Promise<void> {
  let at = 0;
  while (at + BLOCK_BYTES <= tar.length) {
    const header = tar.subarray(at, at + BLOCK_BYTES);
    const name = textAt(header, 0, 100);
    if (name === '') return; // two blocks of zeros end it
    const size = Number.parseInt(textAt(header, 124, 12), 8);
    const path = join(directory, normalize(join('/', name)));
    at += BLOCK_BYTES;
    switch (String.fromCharCode(header[156] ?? 0)) {
      case '5':
        await mkdir(path, { recursive: true });
        break;
      case '2':
        await symlink(textAt(header, 157, 100), path);
        break;
      case '0':
        await writeFile(path, tar.subarray(at, at + size));
        break;
      default:
        throw new Error(`${name} is neither file, directory nor link`);
    }
    at += Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
}

const textAt = (header: Buffer, at: number, lenBytes: number): string =>
  header.toString('latin1', at, at + lenBytes).replace(/\0.*$/s, '');
