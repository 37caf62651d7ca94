// Connecting into a pod of this node: a socket made in its namespace, connected to its own address.
import type { Endpoint } from '#proxy/see/address.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { Leg, type LegOwner } from './leg.ts';
import type { Reactor } from './reactor.ts';
import type { SocketPool } from './socketPool.ts';

/** What is said of a connection that is not yet there. */
export interface Arrival {
  /** Connected; `leg.owner` is still the waiting one and is to be replaced now. */
  connected(leg: Leg): void;
  /** No socket, refused or timed out. */
  failed(detail: string): void;
}

/**
 * Connects to `destination` inside pod `podUid`. Exactly one of `arrival` is called, unless the
 * returned function cancels first.
 */
export function deliver(
  reactor: Reactor,
  pool: SocketPool,
  podUid: string,
  destination: Endpoint,
  arrival: Arrival,
): () => void {
  const { address, port } = destination;
  let isCancelled = false;
  let abort: (() => void) | undefined;
  pool.take(podUid, address.includes(':') ? 6 : 4, (fd) => {
    if (fd !== undefined) {
      const to = encodeSockaddr(address, port);
      abort = connectLeg(reactor, fd, to, `${address}:${port}`, arrival);
      if (isCancelled) abort();
    } else if (!isCancelled) arrival.failed('no socket in its namespace');
  });
  return () => {
    isCancelled = true;
    abort?.();
  };
}

/** Connects the socket `fd`, which it then owns, as dial() and deliver() promise. */
export function connectLeg(
  reactor: Reactor,
  fd: number,
  to: Buffer,
  name: string,
  arrival: Arrival,
): () => void {
  let isCancelled = false;
  const waiting: LegOwner = {
    data: () => undefined, // cannot come before it is connected
    end: () => undefined,
    drained: () => undefined,
    closed: () => {
      if (!isCancelled) arrival.failed(`${name}: ${leg.failure ?? 'closed'}`);
    },
  };
  const leg = Leg.connecting(reactor, fd, to, waiting, () => {
    if (!isCancelled) arrival.connected(leg);
  });
  return () => {
    isCancelled = true;
    leg.destroy();
  };
}
