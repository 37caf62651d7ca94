// Connecting into a pod of this node: a socket made in its namespace, connected to the pod's own address
// from that of the client, where the socket is one that may speak from it (redirect/clientAddress.ts).
import type { Endpoint } from '#proxy/see/address.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { speakFrom } from '#proxy/native/transparent.ts';
import { Leg, type LegOwner } from './leg.ts';
import type { Reactor } from './reactor.ts';
import type { SocketPool } from './socketPool.ts';

/** What is said of a connection that is not yet there. */
export interface Arrival {
  /** Connected; `leg.owner` is still the waiting one and is to be replaced now. */
  connected(leg: Leg): void;
  /** No socket, refused or timed out; `errno` by its name, if that was it. */
  failed(detail: string, errno?: string): void;
}

export interface Target {
  readonly podUid: string;
  readonly destination: Endpoint;
  /** Whom the program is to see as its peer; undefined: the pod itself. */
  readonly client: Endpoint | undefined;
}

/**
 * Connects to a destination inside a pod. Exactly one of `arrival` is called, unless the returned
 * function cancels first.
 */
export function deliver(
  reactor: Reactor,
  pool: SocketPool,
  target: Target,
  arrival: Arrival,
): () => void {
  const delivery = new Delivery(reactor, pool, target, arrival);
  delivery.start(target.client?.port ?? 0);
  return () => delivery.cancel();
}

class Delivery implements Arrival {
  readonly #reactor: Reactor;
  readonly #pool: SocketPool;
  readonly #target: Target;
  readonly #arrival: Arrival;
  /** The client's own port is being tried. */
  #isOwnPort = false;
  #isCancelled = false;
  #abort: (() => void) | undefined;

  constructor(reactor: Reactor, pool: SocketPool, target: Target, arrival: Arrival) {
    this.#reactor = reactor;
    this.#pool = pool;
    this.#target = target;
    this.#arrival = arrival;
  }

  /** From the client's address and `port`; 0: any. */
  start(port: number): void {
    const { podUid, destination, client } = this.#target;
    const { address } = destination;
    this.#pool.take(podUid, address.includes(':') ? 6 : 4, (fd) => {
      if (fd === undefined) {
        if (!this.#isCancelled) this.#arrival.failed('no socket in its namespace');
        return;
      }
      this.#isOwnPort = client !== undefined && speakFrom(fd, client.address, port) && port !== 0;
      const to = encodeSockaddr(address, destination.port);
      const name = `${address}:${destination.port}`;
      this.#abort = connectLeg(this.#reactor, fd, to, name, this);
      if (this.#isCancelled) this.#abort();
    });
  }

  connected(leg: Leg): void {
    leg.resetIfKilled();
    this.#arrival.connected(leg);
  }

  failed(detail: string, errno?: string): void {
    // What the client had from this port a moment ago still lives here.
    if (this.#isOwnPort && errno === 'EADDRNOTAVAIL') this.start(0);
    else this.#arrival.failed(detail);
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#abort?.();
  }
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
      if (!isCancelled) arrival.failed(`${name}: ${leg.failure ?? 'closed'}`, leg.failure);
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
