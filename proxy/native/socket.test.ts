import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { closeFd } from './fd.ts';
import { listeningPlace } from './listening.ts';
import { encodeSockaddr } from './sockaddr.ts';
import { tcpListener, tcpSocket } from './socket.ts';
import { getsockopt, IPPROTO_TCP } from './sockopt.ts';
import { acceptNext, startConnecting } from './stream.ts';

const TCP_NODELAY = 1;

describe('tcpListener()', () => {
  test('tcpListener() refuses a port in use, and closes what it made', async () => {
    const server = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const before = tcpSocket(4);
    closeFd(before);
    expect(() => tcpListener('127.0.0.1', port)).toThrow(
      expect.objectContaining({ cause: { call: 'bind', errno: 'EADDRINUSE' } }),
    );
    const after = tcpSocket(4);
    expect(after).toBe(before);
    closeFd(after);
    server.close();
  });

  test('tcpListener() refuses what is no address of this machine', () => {
    expect(() => tcpListener('203.0.113.1', 0)).toThrow(
      expect.objectContaining({ cause: { call: 'bind', errno: 'EADDRNOTAVAIL' } }),
    );
  });

  test('tcpListener() shares a port only when both ask for it', () => {
    const server = createServer();
    const fd = tcpListener('127.0.0.1', 0, { reusePort: true });
    server.listen({ fd });
    const { port } = server.address() as AddressInfo;
    const second = tcpListener('127.0.0.1', port, { reusePort: true });
    expect(() => tcpListener('127.0.0.1', port)).toThrow(/EADDRINUSE/);
    closeFd(second);
    server.close();
  });
});

test('tcpSocket() and what it accepts as a listener wait for no other segment', async () => {
  const listener = tcpListener('127.0.0.1', 0);
  const { port } = listeningPlace(listener) ?? { port: 0 };
  const client = tcpSocket(4);
  startConnecting(client, encodeSockaddr('127.0.0.1', port));
  const accepted = await vi.waitFor(() => acceptNext(listener) ?? expect.fail('not yet'));
  const noDelay = (fd: number): number => {
    const value = Buffer.alloc(4);
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, value, Buffer.of(4, 0, 0, 0));
    return value.readInt32LE(0);
  };
  expect([client, accepted.fd].map(noDelay)).toEqual([1, 1]);
  for (const fd of [listener, client, accepted.fd]) closeFd(fd);
});
