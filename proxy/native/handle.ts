// Node's private TCP handles: the one place that casts to them. Gives net.Socket what its public
// interface does not: reading into a buffer that all connections of a thread share, on accepted
// sockets too, and sockets made elsewhere.
import { createServer, Socket, type OnReadOpts, type Server } from 'node:net';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import { closeFd } from './fd.ts';

/** Node's TCP wrap (lib/net.js, src/tcp_wrap.cc) as far as it is used here. */
interface TcpHandle {
  readonly fd: number;
  close(): void;
}
interface ListeningHandle {
  onconnection: (error: number, accepted: TcpHandle | undefined) => void;
}

/** An accepted connection that nothing reads from yet. Adopt it or close it, once. */
export interface Accepted {
  readonly fd: number;
  /** A socket that hands what it reads to `onread.callback`, from `onread.buffer`, at once. */
  adopt(onread: OnReadOpts): Socket;
  /** Closes without having read: the kernel sends FIN, or RST if bytes were waiting. */
  close(): void;
}

export interface Listener {
  close(): void;
}

/**
 * Accepts on a listening descriptor, which it then owns. `onAccept` must adopt or close before it
 * returns; `onError` reports a failed accept (EMFILE), after which accepting goes on.
 * Errors: SYSCALL_FAILED when the descriptor is not a listening TCP socket.
 */
export function acceptOn(
  fd: number,
  onAccept: (accepted: Accepted) => void,
  onError: (error: Error) => void,
): Listener {
  const server = createServer();
  server.on('error', () => undefined); // a failed listen: thrown below, and only there
  server.listen({ fd });
  const handle = (server as Server & { readonly _handle: ListeningHandle | null })._handle;
  if (handle === null) {
    closeFd(fd);
    throw new TidelockError('SYSCALL_FAILED', {
      op: 'lane.accept',
      message: `Cannot accept on descriptor ${fd}: it is not a listening TCP socket`,
      hint: 'This is a defect in tidelock; please report it with the log around this line.',
      cause: { call: 'listen', errno: 'EINVAL' },
    });
  }
  // Node would wrap the handle in a Socket that allocates per read and cannot be told otherwise.
  handle.onconnection = (error, accepted) => {
    if (accepted === undefined) onError(new Error(`accept: error ${error}`));
    else onAccept(acceptedFrom(accepted));
  };
  return { close: () => void server.close() };
}

/**
 * An unconnected socket made elsewhere, which it then owns: call `connect` on it. Reads go to
 * `onread` as with Accepted.adopt. Errors: SYSCALL_FAILED when the descriptor is no TCP socket.
 */
export function adoptUnconnected(fd: number, onread: OnReadOpts): Socket {
  try {
    const options: object = { ...OPTIONS, fd, onread, manualStart: true }; // not yet readable
    return new Socket(options);
  } catch (cause) {
    closeFd(fd);
    throw new TidelockError('SYSCALL_FAILED', {
      op: 'lane.connect',
      message: `Cannot use descriptor ${fd} as a socket: ${messageOf(cause)}`,
      hint: 'This is a defect in tidelock; please report it with the log around this line.',
      cause: { call: 'socket', errno: 'EINVAL' },
    });
  }
}

/** The descriptor of a live socket, -1 when it has none (closed, or not yet connecting). */
export const fdOf = (socket: Socket): number =>
  (socket as Socket & { readonly _handle: TcpHandle | null })._handle?.fd ?? -1;

/** A lane relays half-closes, and no frame waits for another (Nagle). */
const OPTIONS = { allowHalfOpen: true, noDelay: true } as const;

function acceptedFrom(handle: TcpHandle & { setNoDelay?: (on: boolean) => number }): Accepted {
  return {
    fd: handle.fd,
    adopt: (onread) => {
      handle.setNoDelay?.(true);
      const options: object = { ...OPTIONS, handle, onread }; // `handle` is typed as a BoundSocket only
      return new Socket(options);
    },
    close: () => handle.close(),
  };
}
