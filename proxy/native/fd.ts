// File descriptors as such: duplicating and closing them. Whoever made or received one closes it,
// exactly once.
import { checked, libc } from './libc.ts';

const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  'int fcntl(int fd, int command, int argument)',
);
const dup2: (from: number, to: number) => number = libc.func('int dup2(int from, int to)');
const close: (fd: number) => number = libc.func('int close(int fd)');

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;

/** A new descriptor of the same open file, close-on-exec. Errors: SYSCALL_FAILED. */
export const dupFd = (fd: number): number => checked('fcntl', fcntl(fd, F_DUPFD_CLOEXEC, 3));

/** Lets `to` be another name of the open file of `from`, not close-on-exec. Errors: SYSCALL_FAILED. */
export function redirectFd(from: number, to: number): void {
  checked('dup2', dup2(from, to));
}

/**
 * Lets no call on the open file of `fd` wait, unless it is closed by now. Whoever else holds that file
 * can undo it.
 */
export function setNonBlocking(fd: number): void {
  const flags = fcntl(fd, F_GETFL, 0);
  if (flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/** Closes a descriptor; Linux releases it even when close(2) reports an error. */
export function closeFd(fd: number): void {
  close(fd);
}
