// A TCP connection as bare system calls on a non-blocking descriptor. What may fail in the course of
// things is a value here: a wait is WOULD_BLOCK, whatever ends a connection is FAILED.
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { checked, libc, wouldBlock } from './libc.ts';
import { getsockopt, IPPROTO_TCP, setsockopt, SO_LINGER, SOL_SOCKET } from './sockopt.ts';
import { decodeSockaddr, type Endpoint } from './sockaddr.ts';

const accept4: (fd: number, address: Buffer, length: Buffer, flags: number) => number = libc.func(
  'int accept4(int fd, void *address, void *length, int flags)',
);
const connect: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
);
const send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
const recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'int64_t recv(int fd, void *bytes, size_t length, int flags)',
);
const shutdown: (fd: number, how: number) => number = libc.func('int shutdown(int fd, int how)');

/** SOCK_NONBLOCK and SOCK_CLOEXEC of socket(2). */
const SOCKET_FLAGS = 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const SHUT_WR = 1;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const EINPROGRESS = koffi.os.errno['EINPROGRESS'];
const ECONNABORTED = koffi.os.errno['ECONNABORTED'];
/** `struct linger` that makes close(2) send a RST (socket(7)). */
const LINGER_0 = Buffer.of(1, 0, 0, 0, 0, 0, 0, 0);
const NO_LINGER = Buffer.alloc(8);
const ON = Buffer.of(1, 0, 0, 0);
const SOCKADDR_BYTES = 28;

/** Nothing to read yet, or no room to write: an event says when there is. */
export const WOULD_BLOCK = -1;
/** The connection is gone. */
export const FAILED = -2;

/** An accepted connection, non-blocking and close-on-exec; whoever gets it closes `fd`. */
export interface Accepted {
  readonly fd: number;
  /** Where it came from. */
  readonly from: Endpoint;
}

const ERRNO_NAMES = new Map(
  Object.entries(koffi.os.errno).map(([name, number]) => [number, name] as const),
);

/** As `ECONNRESET`. */
export const errnoName = (errno: number): string => ERRNO_NAMES.get(errno) ?? `errno ${errno}`;

const address = Buffer.alloc(SOCKADDR_BYTES);
const addressLength = Buffer.alloc(4);
const NOWHERE: Endpoint = { family: 4, address: '0.0.0.0', port: 0 };

/** The next waiting connection; undefined: none. Errors: SYSCALL_FAILED (errno EMFILE, ENFILE). */
export function acceptNext(listener: number): Accepted | undefined {
  addressLength.writeUInt32LE(SOCKADDR_BYTES);
  const fd = accept4(listener, address, addressLength, SOCKET_FLAGS);
  if (fd >= 0) return { fd, from: decodeSockaddr(address) ?? NOWHERE };
  if (wouldBlock() || koffi.errno() === ECONNABORTED) return undefined;
  checked('accept4', fd);
  return undefined;
}

/** Starts a connection to encodeSockaddr(); false: refused at once. An event says how it went. */
export const startConnecting = (fd: number, to: Buffer): boolean =>
  connect(fd, to, to.length) === 0 || koffi.errno() === EINPROGRESS;

/** The errno that the next call would fail with, or the attempt to connect did; 0: none. */
export function pendingError(fd: number): number {
  const error = Buffer.alloc(4);
  const size = Buffer.of(4, 0, 0, 0);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, error, size) < 0) return koffi.errno();
  return error.readInt32LE(0);
}

/** Bytes read into `into`, 0 at the end of the stream, WOULD_BLOCK or FAILED. */
export function receive(fd: number, into: Uint8Array): number {
  const length = recv(fd, into, into.length, 0);
  if (length >= 0) return length;
  return wouldBlock() ? WOULD_BLOCK : FAILED;
}

/** Bytes that the kernel took, WOULD_BLOCK or FAILED; with `more` it waits for the next ones. */
export function transmit(fd: number, bytes: Uint8Array, more: boolean): number {
  const length = send(fd, bytes, bytes.length, more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
  if (length >= 0) return length;
  return wouldBlock() ? WOULD_BLOCK : FAILED;
}

/** FIN after what was sent. */
export const finish = (fd: number): void => void shutdown(fd, SHUT_WR);

/** Lets close(2) send a RST. */
export const resetOnClose = (fd: number): void =>
  void setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_0, LINGER_0.length);

/** Lets close(2) send what waits, then a FIN, as it does unless told otherwise. */
export const endOnClose = (fd: number): void =>
  void setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);

/** How an idle connection is asked whether it lives (tcp(7)). */
export interface KeepAlive {
  /** Quiet for so long, it is asked. */
  readonly idleSeconds: number;
  /** It is asked again after so long without an answer, */
  readonly everySeconds: number;
  /** and has failed after so many times: ETIMEDOUT. */
  readonly times: number;
}

/** Has the kernel ask an idle connection whether it lives. */
export function setKeepAlive(fd: number, { idleSeconds, everySeconds, times }: KeepAlive): void {
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ON, ON.length);
  const value = Buffer.alloc(4);
  for (const [option, number] of [
    [TCP_KEEPIDLE, idleSeconds],
    [TCP_KEEPINTVL, everySeconds],
    [TCP_KEEPCNT, times],
  ] as const) {
    value.writeInt32LE(number);
    setsockopt(fd, IPPROTO_TCP, option, value, value.length);
  }
}
