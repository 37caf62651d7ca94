// The health address against callers of every kind, over real sockets on loopback.
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_IDLE } from './idle.ts';
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

async function serve(pages = PAGES): Promise<HealthServer> {
  const server = await serveHealth('127.0.0.1', 0, pages);
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

/** As a client does that keeps its end open while it waits. */
async function get(server: HealthServer, path: string): Promise<string> {
  const socket = caller(server);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return text(socket).catch(() => '');
}

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

  /** As many as `count` connections that have sent a part of a request and never send the rest. */
  async function idleCallers(server: HealthServer, count: number): Promise<Socket[]> {
    const idle: Socket[] = [];
    while (idle.length < count) {
      const socket = caller(server);
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write('GET /healthz HTTP/1.1\r\nX-Slow: ');
      idle.push(socket);
    }
    return idle;
  }
  const closed = (socket: Socket | undefined) =>
    new Promise((resolve) => (socket?.destroyed ? resolve(0) : socket?.once('close', resolve)));

  it('serveHealth() closes the oldest of too many idle callers, and answers whoever asks', async () => {
    const server = await serve();
    const idle = await idleCallers(server, MAX_IDLE);
    expect(await get(server, '/healthz')).toMatch(/^HTTP\/1.1 200 /);
    await idleCallers(server, 10);
    for (const socket of idle.slice(0, 10)) await closed(socket);
    expect(idle.slice(11).filter(({ destroyed }) => destroyed)).toHaveLength(0);
  });

  it('serveHealth() closes none whose request is complete, however long its page takes', async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const slow: Pages = {
      '/slow': async () => {
        asked();
        await finished;
        return { code: 200, type: 'text/plain', body: 'at last\n' };
      },
    };
    const server = await serve(slow);
    const waiting = get(server, '/slow');
    await isAsked;
    const idle = await idleCallers(server, MAX_IDLE + 1);
    await closed(idle[0]);
    finish();
    expect(await waiting).toMatch(/^HTTP\/1.1 200 [^]*at last\n$/);
  });

  it('serveHealth() answers each of 150 callers that wait at once', async () => {
    const callers = 150;
    const asked: (() => void)[] = [];
    const server = await serve({
      '/together': async () => {
        await new Promise<void>((resolve) => {
          asked.push(resolve);
          if (asked.length === callers) for (const go of asked) go();
        });
        return { code: 200, type: 'text/plain', body: 'all\n' };
      },
    });
    const answers = await Promise.all(
      Array.from({ length: callers }, () => get(server, '/together')),
    );
    expect(answers.filter((answer) => !answer.startsWith('HTTP/1.1 200 '))).toEqual([]);
  });

  it('serveHealth() makes one page a connection, whatever is asked after it', async () => {
    let made = 0;
    const server = await serve({
      '/page': () => {
        made += 1;
        return { code: 200, type: 'text/plain', body: 'page\n' };
      },
    });
    await raw(server, 'GET /page HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500));
    expect(made).toBe(1);
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
