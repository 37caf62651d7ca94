import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { closeFd } from './fd.ts';
import { tcpListener, tcpSocket } from './socket.ts';

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
