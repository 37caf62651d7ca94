// The door of a running data plane: the Unix socket at which a new control plane, and nobody but root,
// is given what it needs to go on where the last one was killed. What is behind the descriptors is
// proxy/main.ts; the other side is predecessor.ts.
import { createServer, type Server, type Socket } from 'node:net';
import { sha256 } from '#agent/base/bytes.ts';
import { CONTROL_VERSION, type PlaneSettings } from './control.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { MAX_FDS, sendFds } from '#proxy/native/fdpass.ts';
import { fdOf } from '#proxy/native/handle.ts';
import { socketPair } from '#proxy/native/socket.ts';
import { peerCredentials } from '#proxy/native/unix.ts';

/** Both memfds and every listening socket; they stay open here too. */
export interface Legacy {
  readonly replay: number;
  readonly counters: number;
  readonly listeners: readonly number[];
}

/** This process's ends of what it now shares with the control plane that came in. */
export interface Ends {
  /** Stream of messages (channel.ts). */
  readonly channel: number;
  /** SEQPACKET of descriptors (fdpass.ts). */
  readonly fds: number;
  /** Stream that carries this process's last words. */
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

/**
 * What control plane and data plane must have in common to go on together, as the ticket under which
 * the legacy is sent: the first 4 bytes of a hash of version and settings.
 */
export const fingerprintOf = ({ build, workers, uid, gid }: PlaneSettings): number =>
  sha256(Buffer.from(JSON.stringify([CONTROL_VERSION, build, workers, uid, gid]))).readUInt32LE(0);

/** Listens on the bound Unix socket `fd`, which it then owns, until closed. */
export function openDoor(fd: number, settings: PlaneSettings, host: Host): Server {
  const server = createServer({ pauseOnConnect: true }, (visitor) => {
    visitor.on('error', () => undefined); // gone again
    try {
      letIn(visitor, settings, host);
    } finally {
      visitor.destroy(); // what was sent stays readable at the other end
    }
  });
  server.maxConnections = MAX_KNOCKING;
  server.on('error', () => undefined); // no descriptor left: the visitor tries again
  server.listen({ fd });
  return server;
}

function letIn(visitor: Socket, settings: PlaneSettings, host: Host): void {
  const fd = fdOf(visitor);
  // The socket's mode lets no other in; should somebody have loosened it, this does not.
  if (fd < 0 || peerCredentials(fd).uid !== ROOT) return;
  const legacy = host.legacy();
  if (legacy === undefined) return;
  const [channel, theirChannel] = socketPair('stream');
  const [fds, theirFds] = socketPair('seqpacket');
  const [words, theirWords] = socketPair('stream');
  const theirs = [theirChannel, theirFds, theirWords];
  try {
    sendListeners(fds, legacy.listeners); // waiting there before the visitor has the other end
    const passed = [...theirs, legacy.replay, legacy.counters];
    if (!sendFds(fd, fingerprintOf(settings), passed)) throw new RangeError('the door is blocked');
  } catch {
    [channel, fds, words].forEach(closeFd);
    return;
  } finally {
    theirs.forEach(closeFd);
  }
  host.entered({ channel, fds, words });
}

/** In messages of MAX_FDS; the ticket says how many follow after this message. */
function sendListeners(socket: number, listeners: readonly number[]): void {
  for (let from = 0; from < listeners.length; from += MAX_FDS) {
    const some = listeners.slice(from, from + MAX_FDS);
    if (!sendFds(socket, listeners.length - from - some.length, some)) {
      throw new RangeError(`${listeners.length} listeners are more than a socket holds`);
    }
  }
}
