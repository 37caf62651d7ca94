// The health address against callers of every kind, over real sockets on loopback.
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { serveHealth, type HealthServer, type Pages } from './server.ts';

const PAGES: Pages = {
  '/healthz': () => ({ code: 200, type: 'text/plain', body: 'ok\n' }),
  '/readyz': async () => ({ code: 503, type: 'application/json', body: '{}\n' }),
  '/broken': () => {
    throw new Error('a secret reason');
  },
};

const open: HealthServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]();
});

async function serve(): Promise<HealthServer> {
  const server = await serveHealth('127.0.0.1', 0, PAGES);
  open.push(server);
  return server;
}

function caller({ port }: HealthServer): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

async function raw(server: HealthServer, request: string | Uint8Array): Promise<string> {
  const socket = caller(server);
  socket.end(request);
  return text(socket).catch(() => '');
}

const get = (server: HealthServer, path: string): Promise<string> =>
  raw(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);

describe('serveHealth()', () => {
  it('serveHealth() answers its pages, with their codes, and closes', async () => {
    const server = await serve();
    expect(await get(server, '/healthz')).toMatch(
      /^HTTP\/1.1 200 [^]*connection: close[^]*\r\n\r\nok\n$/,
    );
    expect(await get(server, '/healthz?x=1')).toMatch(/^HTTP\/1.1 200 /);
    expect(await get(server, '/readyz')).toMatch(/^HTTP\/1.1 503 [^]*application\/json[^]*\{\}\n$/);
  });

  it.each([
    ['another method', 'POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', '405'],
    ['a page that is not there', 'GET /secret HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
    ['a property of every object', 'GET constructor HTTP/1.1\r\nHost: x\r\n\r\n', '400'],
    ['long headers', `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['a TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', '400'],
  ])('serveHealth() answers %s with an error and lives on', async (_what, request, code) => {
    const server = await serve();
    expect(await raw(server, request)).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(await get(server, '/healthz')).toMatch(/^HTTP\/1.1 200 /);
  });

  it('serveHealth() keeps to itself why a page could not be made', async () => {
    const answer = await get(await serve(), '/broken');
    expect(answer).toMatch(/^HTTP\/1.1 500 /);
    expect(answer).not.toContain('secret');
  });

  it('serveHealth() lives through whatever bytes it is sent', async () => {
    const server = await serve();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        await raw(server, bytes);
      }),
      { numRuns: 50 },
    );
    expect(await get(server, '/healthz')).toMatch(/^HTTP\/1.1 200 /);
  });

  it('serveHealth() answers a new caller though idle ones hold all its connections', async () => {
    const server = await serve();
    const idle = Array.from({ length: 64 }, () => caller(server));
    for (const socket of idle) {
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write('GET /healthz HTTP/1.1\r\nX-Slow: '); // and never the end of it
    }
    const first = new Promise((resolve) => idle[0]?.once('close', resolve));
    expect(await get(server, '/healthz')).toMatch(/^HTTP\/1.1 200 /);
    await first;
    expect(idle.at(-1)?.destroyed).toBe(false);
  });

  it('serveHealth() says who is to blame when its address cannot be had, and gives it back at its end', async () => {
    const server = await serve();
    await expect(serveHealth('127.0.0.1', server.port, PAGES)).rejects.toMatchObject({
      code: 'HEALTH_ADDRESS_UNUSABLE',
      message: expect.stringContaining(`127.0.0.1 port ${server.port}`),
    });
    await expect(serveHealth('192.0.2.1', 8055, PAGES)).rejects.toMatchObject({
      code: 'HEALTH_ADDRESS_UNUSABLE',
    });
    const hanging = caller(server);
    await new Promise((resolve) => hanging.once('connect', resolve));
    await open.pop()?.[Symbol.asyncDispose]();
    const again = await serveHealth('127.0.0.1', server.port, PAGES);
    open.push(again);
    expect(await get(again, '/healthz')).toMatch(/^HTTP\/1.1 200 /);
  });
});
