// Files that an evidence verb reads: bounded, and with an error that names the file.
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { malformed } from '#attest/cursor.ts';

const CHUNK_BYTES = 64 << 10;

/**
 * The bytes of a file or pipe, at most `maxBytes`. `what` names it in errors: `event log`.
 * Errors: FILE_UNREADABLE, EVIDENCE_MALFORMED when it is longer.
 */
export async function readInput(
  from: { readonly cwd: string; readonly path: string; readonly what: string },
  maxBytes: number,
): Promise<Buffer> {
  const path = resolve(from.cwd, from.path);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    await using file = await open(path);
    while (size <= maxBytes) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(CHUNK_BYTES) });
      if (bytesRead === 0) break;
      size += bytesRead;
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } catch (cause) {
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'evidence.read',
      message: `Cannot read ${from.what} ${path}: ${messageOf(cause)}`,
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
  if (size > maxBytes) throw malformed(`${from.what} ${path}`, `it is over ${maxBytes} bytes`);
  return Buffer.concat(chunks);
}
