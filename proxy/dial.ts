// Connecting from the node's own namespace, to a peer's lane port or to a destination without an agent.
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import { connectLeg, type Arrival } from './delivery.ts';
import type { Reactor } from './reactor.ts';

/** A peer that does not answer a SYN. */
const CONNECT_MS = 10_000;

/**
 * Connects to `endpoint`, an IP address and port. Exactly one of `arrival` is called, unless the
 * returned function cancels first.
 */
export function dial(
  reactor: Reactor,
  clock: Clock,
  { address, port }: Endpoint,
  arrival: Arrival,
): () => void {
  const to = encodeSockaddr(address, port);
  let fd: number;
  try {
    fd = tcpSocket(to.length === 16 ? 4 : 6);
  } catch (thrown) {
    arrival.failed(`${address}:${port}: ${messageOf(thrown)}`); // out of descriptors
    return () => undefined;
  }
  const abort = connectLeg(reactor, fd, to, `${address}:${port}`, {
    connected: (leg) => {
      cancel();
      arrival.connected(leg);
    },
    failed: (detail) => {
      cancel();
      arrival.failed(detail);
    },
  });
  const cancel = clock.after(CONNECT_MS, () => {
    abort();
    arrival.failed(`${address}:${port} did not answer`);
  });
  return () => {
    cancel();
    abort();
  };
}
