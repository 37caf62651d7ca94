// Connecting into a pod of this node: a socket made in its namespace, connected to its own address.
import type { Endpoint } from '#proxy/see/address.ts';
import { adoptUnconnected } from '#proxy/native/handle.ts';
import { Leg, type LegOwner } from './leg.ts';
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
  pool: SocketPool,
  podUid: string,
  destination: Endpoint,
  arrival: Arrival,
): () => void {
  let isCancelled = false;
  let leg: Leg | undefined;
  const waiting: LegOwner = {
    data: () => undefined, // cannot come before `connected`
    end: () => undefined,
    drained: () => undefined,
    closed: () => {
      if (!isCancelled) arrival.failed(`${destination.address}:${destination.port} did not answer`);
    },
  };
  pool.take(podUid, destination.address.includes(':') ? 6 : 4, (fd) => {
    if (fd === undefined) {
      if (!isCancelled) arrival.failed('no socket in its namespace');
      return;
    }
    const made = new Leg((onread) => adoptUnconnected(fd, onread), waiting);
    leg = made;
    if (isCancelled) {
      made.destroy();
      return;
    }
    made.socket.once('connect', () => {
      if (!isCancelled) arrival.connected(made);
    });
    made.socket.connect(destination.port, destination.address);
  });
  return () => {
    isCancelled = true;
    leg?.destroy();
  };
}
