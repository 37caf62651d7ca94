// The control socket: HTTP over a unix socket that root alone may open. It serves the routes it is
// given and bounds what a caller can send; it decides nothing.
import { chmod, lstat, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { asTidelockError, messageOf, TidelockError } from '#agent/base/errors.ts';
import { makeDirectory } from '#agent/base/directory.ts';

/** The parameters of a request, each given once: at most MAX_PARAMETERS, names and values bounded. */
export type Query = Readonly<Record<string, string>>;

/** By method and path, such as `GET /status`: the document to answer with. A `POST` comes with one. */
export type Routes = Readonly<
  Record<string, (query: Query, body: unknown) => object | Promise<object>>
>;

const MAX_CONNECTIONS = 32;
const MAX_HEADER_BYTES = 8 << 10;
const MAX_BODY_BYTES = 64 << 10;
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_PARAMETERS = 8;
const PARAMETER_NAME = /^[a-z][a-zA-Z]{0,31}$/;
const MAX_VALUE_CHARS = 2_048;

/**
 * Serves `routes` on a unix socket of mode 0600; a missing directory is made with mode 0700.
 * A socket that nobody serves any more is replaced.
 * Errors: AGENT_RUNNING when somebody does, CONTROL_SOCKET_UNUSABLE for anything else in the way.
 */
export async function serveControl(path: string, routes: Routes): Promise<AsyncDisposable> {
  await prepare(path);
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAlive: false,
    },
    (request, response) => void answer(routes, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  await chmod(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve)); // also removes the socket
    },
  };
}

async function answer(
  routes: Routes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.on('error', () => undefined); // the caller went away
  const [path = '/', search = ''] = (request.url ?? '/').split(/\?(.*)/s, 2);
  const route = `${request.method} ${path}`;
  const handler = Object.hasOwn(routes, route) ? routes[route] : undefined;
  if (request.method !== 'POST' || handler === undefined) request.resume();
  if (handler === undefined) {
    const known = Object.keys(routes).join(', ');
    const error = new TidelockError('USAGE', {
      op: 'control.route',
      message: `Cannot answer ${route.slice(0, 100)}: no such route`,
      hint: `This agent knows ${known}.`,
    });
    send(response, 404, { error });
    return;
  }
  const maxBytes = request.method === 'POST' ? MAX_BODY_BYTES : 0;
  const length = Number(request.headers['content-length'] ?? 0);
  if (request.headers['transfer-encoding'] || !(length <= maxBytes)) {
    const error = new TidelockError('USAGE', {
      op: 'control.route',
      message: `Cannot answer ${route}: its body is of more than ${maxBytes} bytes, or of no stated length`,
      hint: `Only POST takes a body, a JSON document of at most ${MAX_BODY_BYTES} bytes.`,
    });
    request.resume();
    send(response, 413, { error });
    return;
  }
  try {
    const body = request.method === 'POST' ? await documentOf(route, request) : undefined;
    send(response, 200, await handler(queryOf(route, search), body));
  } catch (thrown) {
    const error = asTidelockError(thrown, `control ${route}`);
    send(response, error.code === 'USAGE' ? 400 : 500, { error });
  }
}

/** Its length is bounded by what it stated: the server reads no further. Errors: USAGE. */
async function documentOf(route: string, request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch (cause) {
    throw new TidelockError('USAGE', {
      op: 'control.route',
      message: `Cannot answer ${route}: its body is no JSON (${messageOf(cause)})`,
      hint: 'Send one JSON document.',
    });
  }
}

/** Errors: USAGE. Which parameters there are and what they may be is for the route to judge. */
function queryOf(route: string, search: string): Query {
  const found = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    const isOdd = !PARAMETER_NAME.test(name) || value.length > MAX_VALUE_CHARS;
    if (isOdd || found.has(name) || found.size === MAX_PARAMETERS) {
      throw new TidelockError('USAGE', {
        op: 'control.route',
        message: `Cannot answer ${route}: its parameter ${JSON.stringify(name.slice(0, 40))} is odd, too long, given twice or one too many`,
        hint: `At most ${MAX_PARAMETERS} parameters, each once, of at most ${MAX_VALUE_CHARS} characters.`,
      });
    }
    found.set(name, value);
  }
  return Object.fromEntries(found);
}

function send(response: ServerResponse, code: number, document: object): void {
  const body = `${JSON.stringify(document)}\n`;
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}

async function prepare(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    await makeDirectory(directory);
    const { mode } = await lstat(directory);
    if ((mode & 0o022) !== 0) throw unusable(path, `others may write to ${directory}`);
  } catch (thrown) {
    throw thrown instanceof TidelockError ? thrown : unusable(path, messageOf(thrown), thrown);
  }
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) throw unusable(path, 'something that is no socket is there');
  if (await isServed(path)) {
    throw new TidelockError('AGENT_RUNNING', {
      op: 'control.listen',
      message: `Cannot open control socket ${path}: another agent answers on it`,
      hint: 'Stop that agent first, or give this one its own --node and --run-dir.',
    });
  }
  await rm(path, { force: true }); // left behind by an agent that was killed
}

/** Whether a process takes connections on a unix socket. */
export const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection(path);
    const done = (served: boolean): void => {
      probe.destroy();
      resolve(served);
    };
    probe.once('connect', () => done(true)).once('error', () => done(false));
  });

/** Binding happens inside `listen`, so a umask around it leaves no moment with a wider mode. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause) => reject(unusable(path, messageOf(cause), cause)));
  });
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await listening;
  server.on('error', () => undefined); // a failed accept (no descriptor left) concerns one caller
}

const unusable = (path: string, state: string, cause?: unknown): TidelockError =>
  new TidelockError('CONTROL_SOCKET_UNUSABLE', {
    op: 'control.listen',
    message: `Cannot open control socket ${path}: ${state}`,
    hint: 'Give a directory that root alone may write to as paths.runDir or --run-dir.',
    cause,
  });
