// The other end of the control socket: one bounded request, one JSON document.
import { request } from 'node:http';
import { z } from 'zod';
import { isErrorCode } from '#agent/base/codes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 8 << 20;
/** RFC 9110 15.5.1; control.ts answers USAGE so. */
const BAD_REQUEST = 400;

/** A change may wait for the bus. */
const CHANGE_TIMEOUT_MS = 30_000;

const errorAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }),
});

/**
 * The document at `path` of the agent behind `socket`.
 * Errors: AGENT_UNREACHABLE (nobody there, no answer in 5 s, not allowed), AGENT_ANSWER_INVALID, USAGE (what
 * the agent was asked for is at fault).
 */
export const askAgent = (socket: string, path: string): Promise<unknown> =>
  documentFrom(socket, { method: 'GET', path });

/** The same for a POST of `document`, within 30 s. Errors: those of askAgent, and that by which the agent refuses. */
export const tellAgent = (socket: string, path: string, document: object): Promise<unknown> =>
  documentFrom(socket, { method: 'POST', path, body: JSON.stringify(document) });

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

async function documentFrom(socket: string, asked: Call): Promise<unknown> {
  const { code, body } = await exchange(socket, asked);
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw invalid(socket, 'it is not JSON', OTHER_VERSION);
  }
  if (code === 200) return document;
  const told = errorAnswer.safeParse(document);
  if (told.success) {
    const { code: named, message, hint } = told.data.error;
    if (code === BAD_REQUEST) throw new TidelockError('USAGE', { op: 'agent.ask', message, hint });
    throw asked.method === 'POST' && isErrorCode(named)
      ? new TidelockError(named, { op: 'agent.tell', message, hint })
      : invalid(socket, message, hint);
  }
  throw invalid(socket, `its HTTP status is ${code}`, OTHER_VERSION);
}

const OTHER_VERSION =
  'The agent may be of another version; compare `tidelock version` on both sides.';

/** An answer that cannot be used. */
export const invalid = (socket: string, state: string, hint = OTHER_VERSION): TidelockError =>
  new TidelockError('AGENT_ANSWER_INVALID', {
    op: 'agent.ask',
    message: `Cannot use the answer of the agent on ${socket}: ${state}`,
    hint,
  });

function exchange(
  socket: string,
  { method, path, body = '' }: Call,
): Promise<{ readonly code: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: socket,
        method,
        path,
        headers: { 'content-length': Buffer.byteLength(body) },
        signal: AbortSignal.timeout(method === 'POST' ? CHANGE_TIMEOUT_MS : TIMEOUT_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > MAX_ANSWER_BYTES) {
            call.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes of answer`));
          }
        });
        response.on('error', fail);
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    const fail = (cause: Error): void => reject(unreachable(socket, cause));
    call.on('error', fail);
    call.end(body);
  });
}

function unreachable(socket: string, cause: Error): TidelockError {
  const code = 'code' in cause ? cause.code : undefined;
  const state =
    code === 'ENOENT'
      ? 'there is no such socket'
      : code === 'ECONNREFUSED'
        ? 'nobody listens there any more'
        : code === 'EACCES'
          ? 'only root may open it'
          : cause.name === 'AbortError' || cause.name === 'TimeoutError'
            ? `no answer within ${TIMEOUT_MS / 1000} s`
            : messageOf(cause);
  return new TidelockError('AGENT_UNREACHABLE', {
    op: 'agent.ask',
    message: `Cannot reach the agent on ${socket}: ${state}`,
    hint:
      code === 'EACCES'
        ? 'Run the command as root.'
        : 'Start it with `tidelock agent run --config FILE`, or name the socket of the one that runs with --socket.',
    cause,
  });
}
