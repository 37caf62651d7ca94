// Deliveries into a pod that show its programs the client's own address: what has to stand in the pod's
// network namespace so that the answers, which go to an address elsewhere, come back to the socket that
// speaks from it. The mark leads inwards only: a program that sets it reaches nobody but itself.
import koffi from 'koffi';
import { sleep, type Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { withNetns, type Netns } from '#proxy/native/netns.ts';
import { deliverMarked, isDeliveredHere, routeMarkedAgain } from '#proxy/native/rtnetlink.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { pendingError, startConnecting } from '#proxy/native/stream.ts';
import { speakFrom, transparentSocket } from '#proxy/native/transparent.ts';
import { CLIENT_MARK, OUTBOUND_PORT } from './ruleset.ts';

/** The routing table and the rule that leads to it have the number of the lane port. */
const ROUTING = { mark: CLIENT_MARK, table: 15_008, priority: 15_008 } as const;
/** Addresses that nobody has (RFC 5737, RFC 3849). */
const NOBODYS = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const FAMILIES = [4, 6] as const;
const ECONNREFUSED = koffi.os.errno['ECONNREFUSED'];
/** Over loopback the answer is there at once; who is too busy for this is asked again. */
const ANSWER_WAITS_MS = [1, 10];

/** An unconnected socket for a delivery that may show its client. Errors: SYSCALL_FAILED. */
export const clientSocket = (family: 4 | 6): number => transparentSocket(family, CLIENT_MARK);

/**
 * Prepares the routing of a pod for its addresses' families and tries it out by a connection from an
 * address that nobody has. Says why clients cannot be shown; undefined: they can. Needs the rules.
 */
export async function showClients(
  netns: Netns,
  ips: readonly string[],
  clock: Clock,
): Promise<string | undefined> {
  try {
    for (const family of FAMILIES) {
      const ip = ips.find((each) => familyOf(each) === family);
      if (ip === undefined) continue;
      withNetns(netns, () => deliverMarked(family, ROUTING));
      if (!(await isAnswered(netns, ip, clock))) {
        return `an answer from ${ip} to another host's address does not come back; has the pod a default route?`;
      }
    }
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Whether answers from all these addresses come back, in the namespace the thread is in. Errors: SYSCALL_FAILED. */
export const showsClients = (ips: readonly string[]): boolean =>
  ips.every((ip) => isDeliveredHere(NOBODYS[familyOf(ip)], CLIENT_MARK));

/** Removes the routing from the namespace the thread is in, whoever made it. Errors: SYSCALL_FAILED. */
export function hideClients(): void {
  for (const family of FAMILIES) routeMarkedAgain(family, ROUTING);
}

/** Whether the routing of some family stands in the namespace the thread is in. Errors: SYSCALL_FAILED. */
export const clientsAreShown = (): boolean =>
  FAMILIES.some((family) => isDeliveredHere(NOBODYS[family], CLIENT_MARK));

/** A connection to a port on which nobody listens is to be refused, not lost. */
async function isAnswered(netns: Netns, ip: string, clock: Clock): Promise<boolean> {
  const family = familyOf(ip);
  const fd = withNetns(netns, () => clientSocket(family));
  try {
    if (!speakFrom(fd, NOBODYS[family], 0)) return false;
    if (!startConnecting(fd, encodeSockaddr(ip, OUTBOUND_PORT))) {
      return koffi.errno() === ECONNREFUSED;
    }
    for (const waitMs of ANSWER_WAITS_MS) {
      await sleep(clock, waitMs);
      if (pendingError(fd) === ECONNREFUSED) return true;
    }
    return false;
  } finally {
    closeFd(fd);
  }
}

const familyOf = (ip: string): 4 | 6 => (ip.includes(':') ? 6 : 4);
