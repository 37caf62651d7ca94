// eventfd(2): one thread wakes another that waits in epoll_wait(2).
import { Buffer } from 'node:buffer';
import { checked, libc } from './libc.ts';

const eventfd: (initial: number, flags: number) => number = libc.func(
  'int eventfd(unsigned int initial, int flags)',
);
const read: (fd: number, into: Buffer, length: number) => number = libc.func(
  'int64_t read(int fd, void *into, size_t length)',
);
const write: (fd: number, bytes: Buffer, length: number) => number = libc.func(
  'int64_t write(int fd, const void *bytes, size_t length)',
);

/** EFD_NONBLOCK and EFD_CLOEXEC. */
const FLAGS = 0o4000 | 0o2000000;
const ONE = Buffer.of(1, 0, 0, 0, 0, 0, 0, 0);
const into = Buffer.alloc(8);

/** A new one, quiet. Errors: SYSCALL_FAILED. */
export const createEventfd = (): number => checked('eventfd', eventfd(0, FLAGS));

/** Makes it readable until it is quietened. */
export const ring = (fd: number): void => void write(fd, ONE, ONE.length);

/** Forgets how often it was rung. */
export const quieten = (fd: number): void => void read(fd, into, into.length);
