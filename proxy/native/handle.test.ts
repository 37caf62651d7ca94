import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { dupFd } from './fd.ts';
import { acceptOn, adoptUnconnected, fdOf } from './handle.ts';
import { createMemfd } from './memfd.ts';
import { tcpListener, tcpSocket } from './socket.ts';

/** The port that a listening descriptor was given. */
function portOf(fd: number): number {
  const server = createServer().listen({ fd: dupFd(fd) });
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const rethrow = (error: Error): never => {
  throw error;
};

/** What a connection to `port` sends back for `sent`. */
async function echo(port: number, sent: Buffer): Promise<Buffer> {
  const received: Buffer[] = [];
  const chunk = Buffer.alloc(1 << 16);
  const client = adoptUnconnected(tcpSocket(4), {
    buffer: chunk,
    callback: (length) => received.push(Buffer.from(chunk.subarray(0, length))) > 0,
  });
  client.connect({ host: '127.0.0.1', port });
  await once(client, 'connect');
  expect(fdOf(client)).toBeGreaterThan(0);
  client.end(sent);
  await once(client, 'close');
  expect(fdOf(client)).toBe(-1);
  return Buffer.concat(received);
}

describe('acceptOn() and adoptUnconnected()', () => {
  test('acceptOn() hands over connections that all read into one buffer and half-close', async () => {
    const fd = tcpListener('127.0.0.1', 0);
    const port = portOf(fd);
    const buffer = Buffer.alloc(1 << 16);
    const listener = acceptOn(
      fd,
      (accepted) => {
        fstatSync(accepted.fd);
        const socket = accepted.adopt({
          buffer,
          callback: (length, shared) => {
            expect(shared).toBe(buffer);
            socket.write(Buffer.from(buffer.subarray(0, length)));
            return true;
          },
        });
        socket.once('end', () => socket.end());
        socket.resume();
      },
      rethrow,
    );
    const sent = Buffer.alloc(3 << 20, 'tide');
    const echoes = await Promise.all([1, 2, 3].map(() => echo(port, sent)));
    for (const received of echoes) expect(received.equals(sent)).toBe(true);
    listener.close();
  });

  test('acceptOn() lets a connection be closed unread', async () => {
    const fd = tcpListener('127.0.0.1', 0);
    const port = portOf(fd);
    const listener = acceptOn(fd, (accepted) => accepted.close(), rethrow);
    const client = connect({ host: '127.0.0.1', port });
    client.resume();
    await once(client, 'end');
    await once(client, 'close');
    listener.close();
  });

  test('acceptOn() and adoptUnconnected() refuse, and close, a descriptor that is none of theirs', () => {
    const file = createMemfd('file', 8);
    expect(() => acceptOn(file, (accepted) => accepted.close(), rethrow)).toThrow(
      expect.objectContaining({ code: 'SYSCALL_FAILED' }),
    );
    expect(() => fstatSync(file)).toThrow(/EBADF/);
    const other = createMemfd('file', 8);
    const onread = { buffer: Buffer.alloc(1), callback: () => true };
    expect(() => adoptUnconnected(other, onread)).toThrow(
      expect.objectContaining({ code: 'SYSCALL_FAILED' }),
    );
    expect(() => fstatSync(other)).toThrow(/EBADF/);
  });
});
