// Network namespaces: holding one open, and running a few synchronous calls inside it. The thread is
// back in its own namespace when withNetns returns, or the process ends.
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import { checked, libc } from './libc.ts';

const setns: (fd: number, type: number) => number = libc.func('int setns(int fd, int type)');

const CLONE_NEWNET = 0x40000000;
/** The namespace of the calling thread. */
export const OWN_NETNS = '/proc/thread-self/ns/net';

/** A network namespace kept alive by a descriptor, whatever becomes of its path and processes. */
export interface Netns {
  readonly fd: number;
  /** A path by which another program of this machine can open it while this process holds it. */
  readonly path: string;
  close(): void;
}

/** Holds the namespace at `path` (`/proc/PID/ns/net`, `/run/netns/NAME`). Errors: NETNS_UNAVAILABLE. */
export function openNetns(path: string): Netns {
  try {
    const fd = openSync(path, 'r');
    return { fd, path: `/proc/${process.pid}/fd/${fd}`, close: () => closeSync(fd) };
  } catch (cause) {
    throw new TidelockError('NETNS_UNAVAILABLE', {
      op: 'netns.open',
      message: `Cannot open network namespace ${path}: ${messageOf(cause)}`,
      hint: 'The pod has ended, or its path in the inventory is wrong; it is tried again when the inventory changes.',
      cause,
    });
  }
}

/** What tells a namespace from every other one: the inode of `netns`, a path or a descriptor. */
export const inodeOf = (netns: string | number): number =>
  (typeof netns === 'string' ? statSync(netns) : fstatSync(netns)).ino;

/**
 * Runs `inside` on this thread with `netns` as its network namespace. It must be synchronous: nothing
 * else may run on the thread meanwhile. Errors: NETNS_UNAVAILABLE, and what `inside` throws.
 */
export function withNetns<T>(netns: Netns, inside: () => T): T {
  const home = openSync(OWN_NETNS, 'r');
  try {
    enter(netns.fd);
    try {
      return inside();
    } finally {
      comeBack(home);
    }
  } finally {
    closeSync(home);
  }
}

/** withNetns() in the namespace at `path`, which is held for as long as it takes. Errors: the same. */
export function withNetnsAt<T>(path: string, inside: () => T): T {
  const netns = openNetns(path);
  try {
    return withNetns(netns, inside);
  } finally {
    netns.close();
  }
}

function enter(fd: number): void {
  try {
    checked('setns', setns(fd, CLONE_NEWNET));
  } catch (cause) {
    throw new TidelockError('NETNS_UNAVAILABLE', {
      op: 'netns.enter',
      message: `Cannot enter network namespace: ${messageOf(cause)}`,
      hint: 'The path is not a network namespace, or the agent lacks CAP_SYS_ADMIN; check the inventory and run the agent as root.',
      cause,
    });
  }
}

function comeBack(home: number): void {
  if (setns(home, CLONE_NEWNET) === 0) return;
  // Going on would open the node's own sockets inside a pod, so that nothing is better than this.
  process.stderr.write('tidelock: cannot return from a network namespace, aborting\n');
  process.abort();
}
