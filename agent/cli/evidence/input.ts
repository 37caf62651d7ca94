// Files that an evidence verb reads: bounded, and with errors that name the file. `-` is standard input.
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import type { Terminal } from '#agent/cli/terminal.ts';
import { malformed } from '#attest/cursor.ts';
import { encodingOf } from '#attest/encoded.ts';

/** After this long without a byte, as of a pipe whose other end is missing, it says what it waits for. */
const PATIENCE_MS = 1000;
const STDIN = { fd: 0, autoClose: false };

export interface Input extends Pick<Terminal, 'cwd'>, Partial<Pick<Terminal, 'err'>> {
  /** `-`: standard input. */
  readonly path: string;
  /** Names it in errors: `event log`. */
  readonly what: string;
}

/** The bytes of a file or pipe, at most `maxBytes`. Errors: FILE_UNREADABLE, EVIDENCE_MALFORMED over that. */
export async function readInput(from: Input, maxBytes: number): Promise<Buffer> {
  const name = `${from.what} ${pathOf(from)}`;
  const notWaiting = systemClock.after(PATIENCE_MS, () => from.err?.(`waiting for ${name}\n`));
  const stream = from.path === '-' ? createReadStream('', STDIN) : createReadStream(pathOf(from));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      notWaiting();
      size += chunk.length;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'evidence.read',
      message: `Cannot read ${name}: ${messageOf(cause)}`,
      hint: 'Check the path and its permissions.',
      cause,
    });
  } finally {
    notWaiting();
  }
  if (size > maxBytes) throw malformed(name, `it is over ${maxBytes} bytes`);
  return Buffer.concat(chunks);
}

/** What `parse` makes of the file. Errors: as readInput; those of `parse`, EVIDENCE_MALFORMED with its path. */
export async function parseInput<T>(
  from: Input,
  maxBytes: number,
  parse: (bytes: Buffer) => T,
): Promise<T> {
  const bytes = await readInput(from, maxBytes);
  try {
    return parse(bytes);
  } catch (thrown) {
    if (!(thrown instanceof TidelockError) || thrown.code !== 'EVIDENCE_MALFORMED') throw thrown;
    const { code, op, message, hint } = thrown;
    const encoding = encodingOf(bytes);
    const remedy = encoding === undefined ? '' : `: it is ${encoding}: decode it first`;
    throw new TidelockError(code, {
      op,
      message: `${message} (${pathOf(from)})${remedy}`,
      hint,
      cause: thrown,
    });
  }
}

const pathOf = ({ cwd, path }: Input): string =>
  path === '-' ? 'from standard input' : resolve(cwd, path);
