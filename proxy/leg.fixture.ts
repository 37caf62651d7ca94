// For tests: a leg whose other end is an ordinary socket, over loopback.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import { Leg, type LegOwner } from './leg.ts';
import { Reactor } from './reactor.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** What a leg told, in order; data as text. */
export interface Heard {
  readonly said: string[];
  readonly owner: LegOwner;
}

export function hearing(): Heard {
  const said: string[] = [];
  return {
    said,
    owner: {
      data: (bytes) => said.push(bytes.toString('latin1')),
      end: () => said.push('<end>'),
      drained: () => said.push('<drained>'),
      closed: (failed) => said.push(failed ? '<failed>' : '<closed>'),
    },
  };
}

/** A reactor that ends with the test. */
export function testReactor(): Reactor {
  const reactor = new Reactor();
  reactor.pump();
  closers.push(() => reactor.stop());
  return reactor;
}

/** A connected leg and the socket at its other end; both end with the test. */
export async function connectedLeg(
  reactor: Reactor,
  owner: LegOwner = hearing().owner,
): Promise<{ readonly leg: Leg; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const leg = await new Promise<Leg>((resolve) => {
    const made = Leg.connecting(
      reactor,
      tcpSocket(4),
      encodeSockaddr('127.0.0.1', port),
      owner,
      () => resolve(made),
    );
  });
  const [far] = await accepted;
  far.on('error', () => undefined);
  server.close();
  closers.push(
    () => leg.destroy(),
    () => far.destroy(),
  );
  return { leg, far };
}
