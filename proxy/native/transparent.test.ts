import { expect, test } from 'vitest';
import { closeFd } from './fd.ts';
import { tcpSocket } from './socket.ts';
import { speakFrom } from './transparent.ts';

test.each([
  [4, '127.0.0.1'],
  [6, '::1'],
] as const)('speakFrom() leaves an ordinary IPv%i socket as it is', (family, address) => {
  const fd = tcpSocket(family);
  try {
    expect(speakFrom(fd, address, 0)).toBe(false);
    expect(speakFrom(fd, address, 4321)).toBe(false);
  } finally {
    closeFd(fd);
  }
});
