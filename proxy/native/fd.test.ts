import { fstatSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { closeFd, dupFd } from './fd.ts';
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
