// TCP and epoll as bare system calls for the load and the echo of the bench: a few microseconds a
// connection instead of the fifty that net.Socket takes, so that what is measured is the proxy between
// the two. IPv4 and one thread; nothing of the product uses it.
import koffi from 'koffi';
import { checked, libc, wouldBlock } from '#proxy/native/libc.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';

const connect: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
);
const accept4: (fd: number, address: null, length: null, flags: number) => number = libc.func(
  'int accept4(int fd, void *address, void *length, int flags)',
);
const send: (fd: number, bytes: Buffer, length: number, flags: number) => number = libc.func(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
const recv: (fd: number, bytes: Buffer, length: number, flags: number) => number = libc.func(
  'int64_t recv(int fd, void *bytes, size_t length, int flags)',
);
const setsockopt: (fd: number, level: number, name: number, value: Buffer, size: number) => number =
  libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t size)');
const epollCreate: (flags: number) => number = libc.func('int epoll_create1(int flags)');
const epollCtl: (epoll: number, op: number, fd: number, event: Buffer) => number = libc.func(
  'int epoll_ctl(int epoll, int op, int fd, void *event)',
);
const epollWait: (epoll: number, events: Buffer, max: number, timeoutMs: number) => number =
  libc.func('int epoll_wait(int epoll, void *events, int max, int timeout)');

/** SOCK_NONBLOCK and SOCK_CLOEXEC of socket(2). */
const SOCKET_FLAGS = 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EPOLL_CTL_ADD = 1;
/** `struct epoll_event` is packed on x64 only (sys/epoll.h). */
const EVENT = process.arch === 'x64' ? { bytes: 12, data: 4 } : { bytes: 16, data: 8 };
const ON = Buffer.of(1, 0, 0, 0);
const MAX_EVENTS = 256;

/** epoll(7) event bits. */
export const EPOLL = { in: 0x001, out: 0x004, error: 0x008, hangup: 0x010, edge: 0x8000_0000 };

/** Starts a connection without waiting for it. Errors: SYSCALL_FAILED. */
export function startConnecting(name: Buffer): number {
  const fd = tcpSocket(4);
  checked('setsockopt', setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, ON.length));
  const result = connect(fd, name, name.length);
  if (result < 0 && koffi.errno() !== koffi.os.errno['EINPROGRESS']) checked('connect', result);
  return fd;
}

/** An address as connect(2) takes it. */
export const nameOf = (address: string, port: number): Buffer => encodeSockaddr(address, port);

/** The next waiting connection, undefined when none waits. Errors: SYSCALL_FAILED. */
export function acceptNext(listener: number): number | undefined {
  const fd = accept4(listener, null, null, SOCKET_FLAGS);
  if (fd < 0 && wouldBlock()) return undefined;
  checked('accept4', fd);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, ON.length);
  return fd;
}

/** Bytes sent, undefined when the connection is gone or full. */
export function sendSome(fd: number, bytes: Buffer, length: number): number | undefined {
  const sent = send(fd, bytes, length, MSG_NOSIGNAL);
  return sent < 0 ? undefined : sent;
}

/** Bytes read into `into`, 0 at the end or after a reset, undefined when nothing waits. */
export function receiveSome(fd: number, into: Buffer): number | undefined {
  const length = recv(fd, into, into.length, 0);
  if (length >= 0) return length;
  return wouldBlock() ? undefined : 0;
}

/** epoll(7) over descriptors that are closed by their owner, which also takes them out. */
export class Poll {
  readonly #fd = checked('epoll_create1', epollCreate(0));
  readonly #event = Buffer.alloc(EVENT.bytes);
  readonly #events = Buffer.alloc(EVENT.bytes * MAX_EVENTS);

  /** Errors: SYSCALL_FAILED. */
  add(fd: number, events: number): void {
    this.#event.writeUInt32LE(events >>> 0, 0);
    this.#event.writeInt32LE(fd, EVENT.data);
    checked('epoll_ctl', epollCtl(this.#fd, EPOLL_CTL_ADD, fd, this.#event));
  }

  /** Calls back for each descriptor with something to do; blocks for up to `timeoutMs`, -1 for ever. */
  wait(timeoutMs: number, onEvent: (fd: number, events: number) => void): void {
    const count = epollWait(this.#fd, this.#events, MAX_EVENTS, timeoutMs);
    for (let i = 0; i < count; i += 1) {
      const at = i * EVENT.bytes;
      onEvent(this.#events.readInt32LE(at + EVENT.data), this.#events.readUInt32LE(at));
    }
  }
}
