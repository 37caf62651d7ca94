// Load of the bench that is about connections: many short ones, or many that are held. One thread.
import { closeFd } from '#proxy/native/fd.ts';
import { EPOLL, type Epoll } from '#proxy/native/epoll.ts';
import { receiveSome, sendSome, startConnecting } from './sockets.ts';

/** A connection that takes longer than this failed, and so does what waits for it. */
export const PATIENCE_MS = 10_000;
/** Connections of `idle` that are being made at one time. */
const IDLE_AT_ONCE = 32;
const buffer = Buffer.alloc(64 << 10);

/** What connections are made with: the poll that they stay in, and where to, by nameOf(). */
export interface Target {
  readonly poll: Epoll;
  readonly name: Buffer;
}

/**
 * Opens connections, `atOnce` at a time, while `more` holds of the number started; `echoed` is told
 * each that got its byte back and closes or keeps it. Returns how many failed.
 */
function connectMany(
  { poll, name }: Target,
  atOnce: number,
  more: (started: number) => boolean,
  echoed: (fd: number) => void,
): number {
  let started = 0;
  const pending = new Set<number>();
  let failed = 0;
  const start = (): void => {
    const fd = startConnecting(name);
    started += 1;
    pending.add(fd);
    poll.add(fd, EPOLL.in | EPOLL.out | EPOLL.edge);
  };
  const sent = new Set<number>();
  const fail = (fd: number): void => {
    pending.delete(fd);
    sent.delete(fd);
    failed += 1;
    closeFd(fd);
  };
  let progressMs = performance.now();
  while (more(started) || pending.size > 0) {
    while (more(started) && pending.size < atOnce) start();
    poll.wait(100, (fd, events) => {
      if (!pending.has(fd)) return;
      progressMs = performance.now();
      if (events & (EPOLL.error | EPOLL.hangup)) return fail(fd);
      if (!sent.has(fd)) {
        sent.add(fd);
        sendSome(fd, buffer, 1);
      }
      const length = events & EPOLL.in ? receiveSome(fd, buffer) : undefined;
      if (length === undefined) return;
      if (length === 0) return fail(fd);
      sent.delete(fd);
      pending.delete(fd);
      echoed(fd);
    });
    if (performance.now() - progressMs > PATIENCE_MS) for (const fd of pending) fail(fd);
  }
  return failed;
}

/** Connects, sends a byte, reads it and closes, `atOnce` at a time. */
export function connections(
  target: Target,
  seconds: number,
  atOnce: number,
): { readonly opened: number; readonly failed: number; readonly seconds: number } {
  const fromMs = performance.now();
  const untilMs = fromMs + seconds * 1000;
  let opened = 0;
  const failed = connectMany(
    target,
    atOnce,
    () => performance.now() < untilMs,
    (fd) => {
      opened += 1;
      closeFd(fd);
    },
  );
  return { opened, failed, seconds: (performance.now() - fromMs) / 1000 };
}

/** Descriptors of `count` connections over which a byte went there and back; `failed` are missing. */
export function hold(
  target: Target,
  count: number,
): { readonly held: readonly number[]; readonly failed: number } {
  const held: number[] = [];
  const failed = connectMany(
    target,
    IDLE_AT_ONCE,
    (started) => started < count,
    (fd) => held.push(fd),
  );
  return { held, failed };
}
