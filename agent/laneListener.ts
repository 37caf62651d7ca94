// The lane port of this node (PROTOCOL 6): opened here, so that it outlives a data plane, and taken
// from the data plane where that outlived a control plane.
import { TidelockError } from '#agent/base/errors.ts';
import { errnoOf } from '#proxy/native/libc.ts';
import { inodeOf, OWN_NETNS } from '#proxy/native/netns.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import type { Listeners } from '#proxy/predecessor.ts';

/** A listening socket at the lane address, as fd. Errors: LANE_PORT_IN_USE, SYSCALL_FAILED. */
export function openLaneListener(address: string, port: number, before?: Listeners): number {
  try {
    const netns = inodeOf(OWN_NETNS);
    return before?.claim({ address, port, netns }) ?? tcpListener(address, port);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== 'EADDRINUSE' && errno !== 'EADDRNOTAVAIL') throw cause;
    const taken = errno === 'EADDRINUSE';
    throw new TidelockError('LANE_PORT_IN_USE', {
      op: 'lanes.listen',
      message: `Cannot listen for lanes on ${address} port ${port}: ${taken ? 'another program does' : 'the address is not of this node'}`,
      hint: taken
        ? 'Stop the program that listens there (ss -ltnp shows it) or set lanes.port on every node.'
        : 'Set lanes.address to an address of this node that the other nodes reach.',
      cause,
    });
  }
}
