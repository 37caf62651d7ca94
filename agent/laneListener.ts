// The lane port of this node (PROTOCOL 6): opened here, so that it outlives a data plane, and taken
// from the data plane where that outlived a control plane.
import { TidelockError } from '#agent/base/errors.ts';
import { errnoOf } from '#proxy/native/libc.ts';
import { inodeOf, OWN_NETNS } from '#proxy/native/netns.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import type { InheritedListeners } from '#proxy/inheritedListeners.ts';
import { holderOf, listening } from './listeners.ts';

/** Who listens there listens at every address. */
const EVERY_ADDRESS = ['0.0.0.0', '::'];

/** A listening socket at the lane address, as fd. Errors: LANE_PORT_IN_USE, SYSCALL_FAILED. */
export async function openLaneListener(
  address: string,
  port: number,
  before?: InheritedListeners,
): Promise<number> {
  try {
    const netns = inodeOf(OWN_NETNS);
    return before?.claim({ address, port, netns }) ?? tcpListener(address, port);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== 'EADDRINUSE' && errno !== 'EADDRNOTAVAIL') throw cause;
    const taken = errno === 'EADDRINUSE';
    const pid = taken ? await listenerAt(address, port) : undefined;
    const taker = pid === undefined ? 'another program' : `process ${pid}`;
    throw new TidelockError('LANE_PORT_IN_USE', {
      op: 'lanes.listen',
      message: `Cannot listen for lanes on ${address} port ${port}: ${taken ? `${taker} does` : 'the address is not of this node'}`,
      hint: taken
        ? `End ${pid === undefined ? 'the program that listens there (ss -ltnp shows it)' : `it (kill ${pid})`} or set lanes.port on every node.`
        : 'Set lanes.address to an address of this node that the other nodes reach.',
      cause,
    });
  }
}

/** The process that listens there or at every address, if it can be seen. */
async function listenerAt(address: string, port: number): Promise<number | undefined> {
  const taken = (await listening()).find(
    (each) => each.port === port && [address, ...EVERY_ADDRESS].includes(each.address),
  );
  return taken && holderOf(taken.inode);
}
