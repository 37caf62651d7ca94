// epoll(7): which of many descriptors have something to do. Descriptors stay their owners', who close
// them and thereby take them out.
import { Buffer } from 'node:buffer';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';

const epollCreate: (flags: number) => number = libc.func('int epoll_create1(int flags)');
const epollCtl: (epoll: number, op: number, fd: number, event: Buffer) => number = libc.func(
  'int epoll_ctl(int epoll, int op, int fd, void *event)',
);
const epollWait: (epoll: number, events: Buffer, max: number, timeoutMs: number) => number =
  libc.func('int epoll_wait(int epoll, void *events, int max, int timeout)');

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
/** `struct epoll_event` is packed on x64 only (sys/epoll.h). */
const EVENT = process.arch === 'x64' ? { bytes: 12, data: 4 } : { bytes: 16, data: 8 };
const MAX_EVENTS = 256;

/** Event bits; `urgent` is EPOLLPRI, `peerClosed` EPOLLRDHUP, `edge` EPOLLET. */
export const EPOLL = {
  in: 0x0001,
  urgent: 0x0002,
  out: 0x0004,
  error: 0x0008,
  hangup: 0x0010,
  peerClosed: 0x2000,
  edge: 0x8000_0000,
} as const;

export class Epoll {
  readonly fd = checked('epoll_create1', epollCreate(EPOLL_CLOEXEC));
  readonly #event = Buffer.alloc(EVENT.bytes);
  readonly #events = Buffer.alloc(EVENT.bytes * MAX_EVENTS);
  #count = 0;

  /** Errors: SYSCALL_FAILED (errno EPERM: `fd` is of a kind that never waits). */
  add(fd: number, events: number): void {
    this.#event.writeUInt32LE(events >>> 0, 0);
    this.#event.writeInt32LE(fd, EVENT.data);
    checked('epoll_ctl', epollCtl(this.fd, EPOLL_CTL_ADD, fd, this.#event));
  }

  /** For a descriptor that lives on, or of which somebody holds a duplicate. Errors: SYSCALL_FAILED. */
  remove(fd: number): void {
    checked('epoll_ctl', epollCtl(this.fd, EPOLL_CTL_DEL, fd, this.#event));
  }

  /**
   * Waits until a descriptor has something to do, for up to `timeoutMs`, -1 for ever: how many have, 256 at
   * most, for dispatch(). Blocks the thread; a signal ends the wait early.
   */
  ready(timeoutMs: number): number {
    this.#count = epollWait(this.fd, this.#events, MAX_EVENTS, timeoutMs);
    return this.#count;
  }

  /** Calls back for each descriptor that ready() has found, once. */
  dispatch(onEvent: (fd: number, events: number) => void): void {
    const count = this.#count;
    this.#count = 0;
    for (let i = 0; i < count; i += 1) {
      const at = i * EVENT.bytes;
      onEvent(this.#events.readInt32LE(at + EVENT.data), this.#events.readUInt32LE(at));
    }
  }

  /** ready() and dispatch(). */
  wait(timeoutMs: number, onEvent: (fd: number, events: number) => void): void {
    this.ready(timeoutMs);
    this.dispatch(onEvent);
  }

  close(): void {
    closeFd(this.fd);
  }
}
