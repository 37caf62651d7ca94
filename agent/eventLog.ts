// The firmware event log of this host, as the kernel or a file has it. Reading only; attest/ parses it.
import { open } from 'node:fs/promises';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

const CHUNK_BYTES = 64 << 10;
/** attest/ refuses a log long before this. */
const MAX_BYTES = 8 << 20;

/** The bytes at `path`; securityfs states no size, so it is read to its end. Errors: EVENTLOG_UNREADABLE. */
export async function readEventLog(path: string): Promise<Buffer> {
  try {
    await using file = await open(path);
    const chunks: Buffer[] = [];
    let size = 0;
    for (;;) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(CHUNK_BYTES) });
      if (bytesRead === 0) return Buffer.concat(chunks);
      size += bytesRead;
      if (size > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } catch (cause) {
    throw new TidelockError('EVENTLOG_UNREADABLE', {
      op: 'eventlog.read',
      message: `Cannot read event log ${path}: ${messageOf(cause)}`,
      hint: 'Mount securityfs (mount -t securityfs none /sys/kernel/security) and see that the firmware measures its boot, or correct tpm.eventLog.',
      cause,
    });
  }
}
