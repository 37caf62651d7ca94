import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { Epoll } from '#proxy/native/epoll.ts';
import { connections, hold, type Target } from './loadConnections.ts';
import { paced, roundTrips, saturate } from './loadRequests.ts';
import { nameOf } from './sockets.ts';

interface Behaviour {
  /** Connections that it echoes; it closes those after them. */
  readonly echoes: number;
  /** Before it answers for the `stallAt`th time, it stands still for a while. */
  readonly stallAt?: number;
  readonly stallMs?: number;
  /** It closes the connection instead of answering for the `closeAt`th time. */
  readonly closeAt?: number;
}

/** Loads block their thread, so the server has one of its own. */
const SERVER = `
  const { createServer } = require('node:net');
  const { parentPort, workerData: { echoes, stallAt, stallMs, closeAt } } = require('node:worker_threads');
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let accepted = 0;
  let answers = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    if ((accepted += 1) > echoes) return socket.destroy();
    socket.on('data', (bytes) => {
      answers += 1;
      if (answers === stallAt) Atomics.wait(sleeper, 0, 0, stallMs);
      if (answers === closeAt) socket.destroy();
      else socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const servers: Worker[] = [];
afterAll(() => Promise.all(servers.map((server) => server.terminate())));

async function serverThat(behaviour: Behaviour): Promise<Target> {
  const server = new Worker(SERVER, { eval: true, workerData: behaviour });
  servers.push(server);
  const [port] = (await once(server, 'message')) as [number];
  return { poll: new Epoll(), name: nameOf('127.0.0.1', port) };
}

describe('paced()', () => {
  it('counts what requests waited behind one that was late, as roundTrips() does not', async () => {
    // Of 400 requests 300 were due while the server stood still; of a closed loop one was.
    const stall = { echoes: Infinity, stallMs: 300 };
    const late = paced(await serverThat({ ...stall, stallAt: 50 }), 0.4, 1000, 0);
    expect(late.failed).toBe(0);
    expect(late.p50Us).toBeGreaterThan(50_000);
    const alone = roundTrips(await serverThat({ ...stall, stallAt: 500 }), 400);
    expect(alone.p50Us).toBeLessThan(late.p50Us);
  });

  it('counts each request that cannot be sent, and goes on', async () => {
    const target = await serverThat({ echoes: 8 });
    expect(paced(target, 0.2, 1000, 10).failed).toBe(20);
  });

  it('counts what was under way on a connection that ended, and asks anew on another', async () => {
    const target = await serverThat({ echoes: Infinity, closeAt: 50 });
    const { failed } = paced(target, 0.2, 1000, 0);
    expect(failed).toBeGreaterThan(0);
    expect(failed).toBeLessThan(50);
  });
});

describe('saturate()', () => {
  it('answers with a rate of what came back', async () => {
    const { failed, perSecond } = saturate(await serverThat({ echoes: Infinity }), 0.2, 4);
    expect(failed).toBe(0);
    expect(perSecond).toBeGreaterThan(0);
  });

  it('counts a connection that ended', async () => {
    expect(saturate(await serverThat({ echoes: Infinity, closeAt: 50 }), 0.1, 4).failed).toBe(1);
  });
});

describe('connections()', () => {
  it('counts those that were echoed and those that were not', async () => {
    const { opened, failed } = connections(await serverThat({ echoes: 10 }), 0.1, 4);
    expect(opened).toBe(10);
    expect(failed).toBeGreaterThan(0);
  });
});

describe('hold()', () => {
  it('holds those that were echoed', async () => {
    const { held, failed } = hold(await serverThat({ echoes: 10 }), 40);
    expect(held.length).toBe(10);
    expect(failed).toBe(30);
  });
});
