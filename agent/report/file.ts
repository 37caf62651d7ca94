// Reports as files: read no further than a report can be long, and replaced whole, so that no reader
// ever sees half of one. What is in them is for attest/ to judge.
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '#agent/base/directory.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { MAX_REPORT_BYTES } from '#attest/reportOpen.ts';

const CHUNK_BYTES = 64 << 10;

/**
 * The bytes of a report file; of one that is too long, as many as show that. It may be a pipe.
 * Errors: FILE_UNREADABLE.
 */
export async function readReport(path: string): Promise<Buffer> {
  try {
    await using file = await open(path);
    const chunks: Buffer[] = [];
    for (let size = 0; size <= MAX_REPORT_BYTES + 1;) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(CHUNK_BYTES) });
      if (bytesRead === 0) break;
      size += bytesRead;
      chunks.push(buffer.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'report.read',
      message: `Cannot read report ${path}: ${messageOf(cause)}`,
      hint: 'Check the path and its permissions; agents write their reports to reports/ in paths.stateDir.',
      cause,
    });
  }
}

/**
 * Writes `text` to `path`, over what was there, in one step; synced to disk before it returns.
 * Errors: FILE_UNWRITABLE.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await makeDirectory(dirname(path));
    await rm(draft, { force: true });
    {
      await using file = await open(draft, 'wx', 0o644);
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
