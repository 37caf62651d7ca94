// Connecting from the node's own namespace, to a peer's lane port or to a destination without an agent.
import { Socket } from 'node:net';
import type { Clock } from '#agent/base/clock.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { Arrival } from './delivery.ts';
import { Leg } from './leg.ts';

/** A peer that does not answer a SYN. */
const CONNECT_MS = 10_000;

/**
 * Connects to `endpoint`, an IP address and port. Exactly one of `arrival` is called, unless the
 * returned function cancels first.
 */
export function dial(clock: Clock, { address, port }: Endpoint, arrival: Arrival): () => void {
  let isOver = false;
  const leg = new Leg(
    (onread) => {
      const options: object = { allowHalfOpen: true, noDelay: true, onread };
      return new Socket(options);
    },
    {
      data: () => undefined, // cannot come before `connect`
      end: () => undefined,
      drained: () => undefined,
      closed: () => {
        if (!isOver) arrival.failed(`${address}:${port} did not answer`);
      },
    },
  );
  const cancel = clock.after(CONNECT_MS, () => leg.destroy());
  leg.socket.once('close', cancel);
  leg.socket.once('connect', () => {
    cancel();
    if (!isOver) arrival.connected(leg);
  });
  leg.socket.connect(port, address);
  return () => {
    isOver = true;
    leg.destroy();
  };
}
