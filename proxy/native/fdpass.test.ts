import { fstatSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { closeFd, dupFd } from './fd.ts';
import { MAX_FDS, receiveFds, sendFds } from './fdpass.ts';
import { createMemfd } from './memfd.ts';
import { socketPair } from './socket.ts';

describe('sendFds() and receiveFds()', () => {
  test('receiveFds() gets descriptors of the same open files, under their ticket', () => {
    const [a, b] = socketPair('seqpacket');
    const memory = createMemfd('passed', 4096);
    expect(sendFds(a, 42, [memory, memory])).toBe(true);
    const passed = receiveFds(b);
    expect(passed?.ticket).toBe(42);
    expect(passed?.fds).toHaveLength(2);
    for (const fd of passed?.fds ?? []) {
      expect(fd).not.toBe(memory);
      expect(fstatSync(fd).ino).toBe(fstatSync(memory).ino);
      closeFd(fd);
    }
    expect(receiveFds(b)).toBeUndefined();
    [a, b, memory].forEach(closeFd);
  });

  test('sendFds() takes as many as the kernel does, and no more', () => {
    const [a, b] = socketPair('seqpacket');
    const fds = Array<number>(MAX_FDS).fill(a);
    expect(sendFds(a, 1, fds)).toBe(true);
    const passed = receiveFds(b);
    expect(passed?.fds).toHaveLength(MAX_FDS);
    passed?.fds.forEach(closeFd);
    expect(() => sendFds(a, 1, [...fds, a])).toThrow(RangeError);
    expect(() => sendFds(a, 1, [])).toThrow(RangeError);
    [a, b].forEach(closeFd);
  });

  test('sendFds() says false when nobody reads, and throws when nobody is there', () => {
    const [a, b] = socketPair('seqpacket');
    let sent = 0;
    while (sendFds(a, sent, [b])) sent += 1;
    expect(sent).toBeGreaterThan(10);
    for (let i = 0; i < sent; i += 1) receiveFds(b)?.fds.forEach(closeFd);
    closeFd(b);
    expect(() => sendFds(a, 1, [a])).toThrow(
      expect.objectContaining({ cause: { call: 'sendmsg', errno: 'EPIPE' } }),
    );
    closeFd(a);
  });

  test('receiveFds() has none where no more may be opened, closes what came, and keeps the next', () => {
    const [a, b] = socketPair('seqpacket');
    const memory = createMemfd('passed', 4096);
    expect([7, 8].map((ticket) => sendFds(a, ticket, [memory, memory]))).toEqual([true, true]);
    const held: number[] = [];
    // Nothing of this process may open a file while it has no descriptor left.
    for (;;) {
      try {
        held.push(dupFd(memory));
      } catch {
        break;
      }
    }
    const last = held.pop() ?? -1;
    closeFd(last);
    expect(receiveFds(b)).toEqual({ ticket: 7, fds: [] });
    expect(() => fstatSync(last)).toThrow(/EBADF/);
    held.forEach(closeFd);
    const next = receiveFds(b);
    expect(next).toMatchObject({ ticket: 8 });
    expect(next?.fds).toHaveLength(2);
    [a, b, memory, ...(next?.fds ?? [])].forEach(closeFd);
  });

  test('receiveFds() refuses when the other end is gone', () => {
    const [a, b] = socketPair('seqpacket');
    closeFd(a);
    expect(() => receiveFds(b)).toThrow(/closed/);
    closeFd(b);
  });
});
