import { fstatSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { closeFd, dupFd, setNonBlocking } from './fd.ts';
import { createMemfd } from './memfd.ts';

describe('dupFd() and closeFd()', () => {
  test('dupFd() makes a descriptor of the same file that outlives the first', () => {
    const fd = createMemfd('dup', 8);
    const { ino } = fstatSync(fd);
    const copy = dupFd(fd);
    closeFd(fd);
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
    expect(fstatSync(copy).ino).toBe(ino);
    closeFd(copy);
    expect(() => dupFd(copy)).toThrow(
      expect.objectContaining({ code: 'SYSCALL_FAILED', cause: { call: 'fcntl', errno: 'EBADF' } }),
    );
  });
});

describe('setNonBlocking()', () => {
  /** The flag O_NONBLOCK in proc_pid_fdinfo(5). */
  const isNonBlocking = (fd: number): boolean => {
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return (Number.parseInt(flags ?? '', 8) & 0o4000) !== 0;
  };

  test('setNonBlocking() holds for every descriptor of the file, and passes over a closed one', () => {
    const fd = createMemfd('waits', 8);
    const copy = dupFd(fd);
    expect(isNonBlocking(copy)).toBe(false);
    setNonBlocking(fd);
    expect(isNonBlocking(copy)).toBe(true);
    [fd, copy].forEach(closeFd);
    setNonBlocking(fd);
  });
});
