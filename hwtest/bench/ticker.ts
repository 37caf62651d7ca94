// A timer that is exact to some microseconds, for load at a fixed rate: timerfd(2) in an epoll. Node's
// timers and the timeout of epoll_wait(2) count milliseconds.
import { checked, libc } from '#proxy/native/libc.ts';

const timerfdCreate: (clock: number, flags: number) => number = libc.func(
  'int timerfd_create(int clock, int flags)',
);
const timerfdSettime: (fd: number, flags: number, value: Buffer, old: null) => number = libc.func(
  'int timerfd_settime(int fd, int flags, const void *value, void *old)',
);
const read: (fd: number, into: Buffer, length: number) => number = libc.func(
  'int64_t read(int fd, void *into, size_t length)',
);

const CLOCK_MONOTONIC = 1;
/** TFD_NONBLOCK and TFD_CLOEXEC. */
const FLAGS = 0o4000 | 0o2000000;
const TFD_TIMER_ABSTIME = 1;
const NS_PER_S = 1_000_000_000n;

/** Microseconds of CLOCK_MONOTONIC, the clock of tickers. */
export const nowUs = (): number => Number(process.hrtime.bigint()) / 1000;

/** Readable from `startUs` on every `everyUs`, both whole. The caller closes `fd`. Errors: SYSCALL_FAILED. */
export function createTicker(startUs: number, everyUs: number): number {
  const fd = checked('timerfd_create', timerfdCreate(CLOCK_MONOTONIC, FLAGS));
  const spec = Buffer.alloc(32); // struct itimerspec: interval, then first expiry
  [everyUs, startUs].forEach((us, i) => {
    const ns = BigInt(us) * 1000n;
    spec.writeBigInt64LE(ns / NS_PER_S, 16 * i);
    spec.writeBigInt64LE(ns % NS_PER_S, 16 * i + 8);
  });
  checked('timerfd_settime', timerfdSettime(fd, TFD_TIMER_ABSTIME, spec, null));
  return fd;
}

const expirations = Buffer.alloc(8);

/** Ticks since the last call. */
export const ticksOf = (fd: number): number =>
  read(fd, expirations, 8) === 8 ? Number(expirations.readBigUInt64LE()) : 0;
