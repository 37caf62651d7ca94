// Loopback stands for the pod: any 127.0.0.0/8 address is one that a socket may speak from, so that no
// privilege is needed; 203.0.113.9 is one that an ordinary socket may not.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tcpSocket } from '#proxy/native/socket.ts';
import { setSpeaking } from '#proxy/native/transparent.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { deliver } from './delivery.ts';
import { readAll, world } from './lane.fixture.ts';
import { testReactor } from './leg.fixture.ts';
import type { Leg } from './leg.ts';
import { SkippingClock } from './skippingClock.fixture.ts';
import { SocketPool } from './socketPool.ts';

/** As the control plane makes sockets that may speak from another's address, but for that right. */
function speakingSocket(): number {
  const fd = tcpSocket(4);
  setSpeaking(fd);
  return fd;
}

describe('deliver()', () => {
  const server = createServer();
  const legs: Leg[] = [];
  const accepted: Socket[] = [];
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const leg of legs.splice(0)) leg.destroy();
    for (const socket of accepted.splice(0)) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  /** Delivers a connection of `client`, and says whom the program sees. */
  async function peerOf(
    client: Endpoint | undefined,
    makeSocket = speakingSocket,
  ): Promise<string> {
    const { port } = server.address() as AddressInfo;
    const connection = once(server, 'connection') as Promise<[Socket]>;
    const pool = new SocketPool((uid, family, want) => {
      queueMicrotask(() => pool.give(uid, family, Array.from({ length: want }, makeSocket)));
    }, new SkippingClock());
    pool.retain([{ uid: 'pod', families: [4] }]);
    const target = { podUid: 'pod', destination: { address: '127.0.0.1', port }, client };
    const leg = await new Promise<Leg>((resolve, reject) => {
      deliver(testReactor(), pool, target, {
        connected: resolve,
        failed: (detail) => reject(new Error(detail)),
      });
    });
    legs.push(leg);
    pool.close();
    const [socket] = await connection;
    accepted.push(socket);
    return `${socket.remoteAddress} ${socket.remotePort}`;
  }

  it('deliver() shows the client with its address and port', async () => {
    expect(await peerOf({ address: '127.0.0.77', port: 40_077 })).toBe('127.0.0.77 40077');
  });

  it('deliver() shows the address from another port where its own is listened on', async () => {
    const { port } = server.address() as AddressInfo;
    const here = { address: '127.0.0.1', port };
    expect(await peerOf(here)).toMatch(new RegExp(`^127\\.0\\.0\\.1 (?!${port}$)`));
  });

  it('deliver() shows the address from another port where the same connection still lives', async () => {
    const client = { address: '127.0.0.78', port: 40_078 };
    expect(await peerOf(client)).toBe('127.0.0.78 40078');
    expect(await peerOf(client)).toMatch(/^127\.0\.0\.78 (?!40078$)/);
  });

  it('deliver() keeps the port of a client from no program that listens as most do, by SO_REUSEADDR', async () => {
    expect(await peerOf({ address: '127.0.0.80', port: 20_080 })).toBe('127.0.0.80 20080');
    const program = createServer().listen(20_080, '0.0.0.0');
    await once(program, 'listening');
    program.close();
  });

  it('deliver() connects from the pod itself by a socket that may speak from nowhere else', async () => {
    expect(await peerOf({ address: '203.0.113.9', port: 40_079 })).toMatch(/^127\.0\.0\.1 /);
    expect(await peerOf({ address: '2001:db8::9', port: 40_079 })).toMatch(/^127\.0\.0\.1 /);
    const ordinary = await peerOf({ address: '127.0.0.79', port: 40_079 }, () => tcpSocket(4));
    expect(ordinary).toMatch(/^127\.0\.0\.1 /);
    expect(await peerOf(undefined)).toMatch(/^127\.0\.0\.1 /);
  });
});

describe('a program sees as its peer', () => {
  /** Whom a program in the pod of `node` sees when pod a calls from `localAddress`. */
  async function peerSeen(node: 'a' | 'b', localAddress: string): Promise<string | undefined> {
    const two = await world();
    const address = two[node].podIp;
    const server = createServer((socket) => {
      socket.on('error', () => undefined); // the world ends before it
      socket.end(socket.remoteAddress ?? '');
    }).listen(0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    two.a.destination = { address, port };
    const app = connect({ port: two.a.outPort, host: '127.0.0.1', localAddress });
    const seen = await readAll(app);
    app.on('error', () => undefined);
    server.close();
    return String(seen);
  }

  it.each(['a', 'b'] as const)(
    'the client, by an address that is its own, in pod %s',
    async (node) => {
      expect(await peerSeen(node, '127.0.1.1')).toBe('127.0.1.1');
    },
  );

  it.each(['a', 'b'] as const)(
    'nobody by an address that is not: another pod or unknown, in pod %s',
    async (node) => {
      expect(await peerSeen(node, '127.0.2.1')).toBe('127.0.0.1');
      expect(await peerSeen(node, '127.0.9.9')).toBe('127.0.0.1');
    },
  );
});
