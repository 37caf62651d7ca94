import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, it, vi } from 'vitest';
import { Acceptor } from './acceptor.ts';
import { Leg } from './leg.ts';
import { hearing, testReactor } from './leg.fixture.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
import { tcpListener } from '#proxy/native/socket.ts';

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
const until = (claim: () => void) => vi.waitFor(claim, { timeout: 10_000, interval: 2 });

it('Acceptor hands over each connection and says where it came from', async () => {
  const reactor = testReactor();
  const fd = tcpListener('127.0.0.1', 0);
  const port = portOf(fd);
  const from: number[] = [];
  const acceptor = new Acceptor(
    reactor,
    fd,
    (accepted) => {
      from.push(accepted.from.port);
      expect(accepted.from.address).toBe('127.0.0.1');
      const leg = Leg.accepted(reactor, accepted.fd, hearing().owner);
      leg.write(Buffer.from('hello'));
      leg.end();
    },
    rethrow,
  );
  const clients = Array.from({ length: 40 }, () => connect({ host: '127.0.0.1', port }));
  const ports = await Promise.all(
    clients.map(async (client) => {
      const [bytes] = (await once(client, 'data')) as [Buffer];
      expect(bytes.toString()).toBe('hello');
      return client.localPort;
    }),
  );
  expect(new Set(from)).toEqual(new Set(ports));
  acceptor.close();
  for (const client of clients) client.destroy();
});

it('Acceptor lets a connection be closed unread', async () => {
  const fd = tcpListener('127.0.0.1', 0);
  const port = portOf(fd);
  const acceptor = new Acceptor(testReactor(), fd, (accepted) => closeFd(accepted.fd), rethrow);
  const client = connect({ host: '127.0.0.1', port });
  client.resume();
  await once(client, 'close');
  acceptor.close();
});

it('Acceptor reports once that descriptors have run out, pauses, and goes on by itself', async () => {
  const fd = tcpListener('127.0.0.1', 0);
  const port = portOf(fd);
  const errors: string[] = [];
  let accepted = 0;
  const acceptor = new Acceptor(
    testReactor(),
    fd,
    (connection) => {
      accepted += 1;
      closeFd(connection.fd);
    },
    ({ message }) => errors.push(message),
  );
  const tries = vi.spyOn(acceptor, 'ready');
  const held: number[] = [];
  // Nothing of this process may open a file while it has no descriptor left.
  for (;;) {
    try {
      held.push(dupFd(fd));
    } catch {
      break;
    }
  }
  closeFd(held.pop() ?? -1);
  const client = connect({ host: '127.0.0.1', port });
  client.on('error', () => undefined);
  await until(() => expect(tries.mock.calls.length).toBeGreaterThan(3));
  expect(errors).toEqual([expect.stringMatching(/accept.*EMFILE/)]);
  expect(accepted).toBe(0);
  held.forEach(closeFd);
  await until(() => expect(accepted).toBe(1));
  acceptor.close();
  client.destroy();
});

it('Acceptor refuses, and closes, a descriptor that is no socket', () => {
  const file = createMemfd('file', 8);
  expect(() => new Acceptor(testReactor(), file, ({ fd }) => closeFd(fd), rethrow)).toThrow(
    expect.objectContaining({ code: 'SYSCALL_FAILED' }),
  );
  expect(() => fstatSync(file)).toThrow(/EBADF/);
});
