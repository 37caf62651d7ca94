// Report files: read no further than a report can be long. What is in them is for attest/ to judge.
import { open } from 'node:fs/promises';
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
