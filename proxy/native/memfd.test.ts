import { openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { closeFd, dupFd } from './fd.ts';
import { createMemfd, mapMemfd, memoryId } from './memfd.ts';
import { socketPair } from './socket.ts';

describe('createMemfd() and mapMemfd()', () => {
  test('mapMemfd() shares memory between mappings, atomics included, also after the close', () => {
    const fd = createMemfd('shared', 4096);
    const one = new BigUint64Array(mapMemfd(fd));
    const two = new BigUint64Array(mapMemfd(fd));
    closeFd(fd);
    expect(one.length).toBe(512);
    expect(Atomics.compareExchange(one, 5, 0n, 9n)).toBe(0n);
    expect(Atomics.compareExchange(two, 5, 0n, 1n)).toBe(9n);
  });

  test('mapMemfd() fails on what has no memory to map', () => {
    const [a, b] = socketPair('stream');
    expect(() => mapMemfd(a)).toThrow(
      expect.objectContaining({ cause: { call: 'lseek', errno: 'ESPIPE' } }),
    );
    [a, b].forEach(closeFd);
    const empty = createMemfd('empty', 0);
    expect(() => mapMemfd(empty)).toThrow(
      expect.objectContaining({ cause: { call: 'mmap', errno: 'EINVAL' } }),
    );
    closeFd(empty);
  });
});

describe('memoryId()', () => {
  test('memoryId() is that of the memory, whatever descriptor shows it', () => {
    const [one, other] = [createMemfd('same', 8), createMemfd('same', 8)];
    const copy = dupFd(one);
    expect(memoryId(copy)).toBe(memoryId(one));
    expect(memoryId(other)).not.toBe(memoryId(one));
    [one, other, copy].forEach(closeFd);
  });

  test('memoryId() knows nothing but sealed memory', () => {
    const file = openSync('/dev/null', 'r');
    const [a, b] = socketPair('stream');
    expect([file, a, -1].map(memoryId)).toEqual([undefined, undefined, undefined]);
    [file, a, b].forEach(closeFd);
  });
});
