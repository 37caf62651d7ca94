// Advisory locks of whole files and directories (flock(2)): the kernel lets go of one when its holder
// closes it or ends, however it ends.
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { checked, errnoOf, libc } from './libc.ts';

const flock: (fd: number, operation: number) => number = libc.func(
  'int flock(int fd, int operation)',
);

/** LOCK_EX and LOCK_NB of flock(2). */
const EXCLUSIVE_AT_ONCE = 2 | 4;

/**
 * Locks the file or directory at `path`: the descriptor that holds the lock, close-on-exec, or
 * undefined while another process holds it. Errors: those of open(2), SYSCALL_FAILED.
 */
export function lockPath(path: string): number | undefined {
  const fd = openSync(path, 'r');
  try {
    checked('flock', flock(fd, EXCLUSIVE_AT_ONCE));
    return fd;
  } catch (error) {
    closeSync(fd);
    if (errnoOf(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Pid of the process that locked `path`, as far as this one can see it (proc_locks(5)). */
export function lockHolder(path: string): number | undefined {
  const { ino } = statSync(path);
  const locks = readFileSync('/proc/locks', 'latin1').split('\n');
  const line = locks.find((each) => each.includes(' FLOCK ') && each.includes(`:${ino} `));
  const pid = Number(line?.trim().split(/\s+/)[4]);
  return pid > 0 ? pid : undefined;
}
