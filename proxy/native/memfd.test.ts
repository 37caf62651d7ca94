import { describe, expect, test } from 'vitest';
import { closeFd } from './fd.ts';
import { createMemfd, mapMemfd } from './memfd.ts';
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
