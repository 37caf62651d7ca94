// The health address: plain HTTP, GET alone, open to whoever the configuration lets reach it, so every
// quantity is bounded and nothing that is served names a pod, a peer or an identity. It decides
// nothing: it serves the pages it is given.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { IdleConnections } from './idle.ts';

export interface Page {
  readonly code: 200 | 503;
  /** Media type. */
  readonly type: string;
  readonly body: string;
}

/** By path: what a GET of it answers. */
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

export interface HealthServer extends AsyncDisposable {
  /** Where it listens; of use when port 0 was asked for. */
  readonly port: number;
}

/** Idle ones and those that wait for a page together; more are refused. */
const MAX_CONNECTIONS = 1024;
const MAX_HEADER_BYTES = 8 << 10;
const MAX_HEADERS = 64;
/** For a request to be complete, and for an answer to be taken. */
const PATIENCE_MS = 5000;
const SWEEP_MS = 1000;

/** Serves `pages` at an IP address and port. Errors: HEALTH_ADDRESS_UNUSABLE. */
export async function serveHealth(
  address: string,
  port: number,
  pages: Pages,
): Promise<HealthServer> {
  const idle = new IdleConnections();
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: PATIENCE_MS,
      requestTimeout: PATIENCE_MS,
      connectionsCheckingInterval: SWEEP_MS,
    },
    (request, response) => {
      const { socket } = request;
      idle.delete(socket);
      void answer(pages, request, response).then(() => idle.add(socket));
    },
  );
  server.on('connection', (socket: Socket) => {
    idle.add(socket);
    socket.once('close', () => idle.delete(socket));
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = MAX_HEADERS;
  server.maxRequestsPerSocket = 1;
  server.setTimeout(PATIENCE_MS, (socket: Socket) => socket.destroy());
  await listen(server, address, port);
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  pages: Pages,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.on('error', () => undefined); // the caller went away
  request.resume();
  const path = request.url?.split('?', 1)[0] ?? '/';
  if (request.method !== 'GET') {
    send(response, 405, 'text/plain', 'GET only\n', { allow: 'GET' });
    return;
  }
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) {
    send(response, 404, 'text/plain', `Here are ${Object.keys(pages).join(', ')}\n`);
    return;
  }
  try {
    const { code, type, body } = await page();
    send(response, code, type, body);
  } catch {
    // What went wrong is no business of whoever may ask here.
    send(response, 500, 'text/plain', 'the page could not be made\n');
  }
}

function send(
  response: ServerResponse,
  code: number,
  type: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
    ...more,
  });
  response.end(body);
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause) => reject(unusable(address, port, cause)));
    server.listen({ host: address, port });
  });
  server.on('error', () => undefined); // a failed accept (no descriptor left) concerns one caller
}

const unusable = (address: string, port: number, cause: unknown): TidelockError =>
  new TidelockError('HEALTH_ADDRESS_UNUSABLE', {
    op: 'health.listen',
    message: `Cannot serve health and metrics at ${address} port ${port}: ${messageOf(cause)}`,
    hint: 'Set api.healthAddress to an address of this node and a free port (ss -ltnp shows who has it), or to off.',
    cause,
  });
