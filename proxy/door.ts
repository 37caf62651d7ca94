// The door of a running data plane: the Unix socket at which a new control plane, and nobody but root,
// comes in where the last one was killed. It brings the sockets that the two will share and is given
// memory and listeners over them. What is behind those is proxy/main.ts; the other side is
// predecessor.ts.
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '#agent/base/clock.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { MAX_FDS, receiveFds, sendFds } from '#proxy/native/fdpass.ts';
import { fdOf } from '#proxy/native/handle.ts';
import { peerCredentials } from '#proxy/native/unix.ts';

/** Both memfds and every listening socket; they stay open here too. */
export interface Legacy {
  readonly replay: number;
  readonly counters: number;
  readonly listeners: readonly number[];
}

/** One side's ends of what control plane and data plane share. */
export interface Ends {
  /** Stream of messages (channel.ts). */
  readonly channel: number;
  /** SEQPACKET of descriptors (fdpass.ts). */
  readonly fds: number;
  /** Stream that carries the data plane's last words. */
  readonly words: number;
}

export interface Host {
  /** What to give away; undefined: a control plane is there already, or this process is ending. */
  legacy(): Legacy | undefined;
  /** The ends belong to the host from here on. */
  entered(ends: Ends): void;
}

const ROOT = 0;
const MAX_KNOCKING = 4;
/** What a visitor brings follows its connection within a call or two. */
const BRING_WITHIN_MS = 1000;
const LOOK_EVERY_MS = 2;

/** Listens on the bound Unix socket `fd`, which it then owns, until closed. */
export function openDoor(fd: number, host: Host): Server {
  const server = createServer({ pauseOnConnect: true }, (visitor) => {
    visitor.on('error', () => undefined); // gone again
    // The socket's mode lets no other in; should somebody have loosened it, this does not.
    if (isRoot(visitor)) hear(visitor, host, BRING_WITHIN_MS);
    else visitor.destroy();
  });
  server.maxConnections = MAX_KNOCKING;
  server.on('error', () => undefined); // no descriptor left: the visitor tries again
  server.listen({ fd });
  return server;
}

const isRoot = (visitor: Socket): boolean => {
  const fd = fdOf(visitor);
  return fd >= 0 && peerCredentials(fd).uid === ROOT;
};

/** Waits for what the visitor brings: Node itself would read on and lose the descriptors. */
function hear(visitor: Socket, host: Host, leftMs: number): void {
  try {
    const brought = receiveFds(fdOf(visitor));
    if (brought === undefined && leftMs > 0) {
      systemClock.after(LOOK_EVERY_MS, () => hear(visitor, host, leftMs - LOOK_EVERY_MS));
      return;
    }
    if (brought !== undefined) letIn(brought.fds, host);
  } catch {
    // it went away, or brought something else
  }
  visitor.destroy();
}

/** Errors: any; who brought the ends sees them closed then. */
function letIn(brought: readonly number[], host: Host): void {
  const [channel, fds, words, ...more] = brought;
  const legacy = host.legacy();
  try {
    if (channel === undefined || fds === undefined || words === undefined || more.length > 0) {
      throw new RangeError(`${brought.length} descriptors, not 3`);
    }
    if (legacy === undefined) throw new RangeError('not now');
    const { replay, counters, listeners } = legacy;
    sendAll(fds, [replay, counters, ...listeners]);
    host.entered({ channel, fds, words });
  } catch (error) {
    brought.forEach(closeFd);
    throw error;
  }
}

/** In messages of MAX_FDS; the ticket says how many follow after this message. */
function sendAll(socket: number, all: readonly number[]): void {
  for (let from = 0; from < all.length; from += MAX_FDS) {
    const some = all.slice(from, from + MAX_FDS);
    if (!sendFds(socket, all.length - from - some.length, some)) {
      throw new RangeError(`${all.length} descriptors are more than a socket holds`);
    }
  }
}
