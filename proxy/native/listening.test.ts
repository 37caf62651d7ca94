import { expect, test } from 'vitest';
import { closeFd, dupFd } from './fd.ts';
import { libc } from './libc.ts';
import { closeListener } from './listening.ts';
import { tcpListener } from './socket.ts';

const setsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: number,
) => number = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const getsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: Buffer,
) => number = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');

const SOL_SOCKET = 1;
const SO_LINGER = 13;

test('closeListener() takes back a time to linger that another holder has set', () => {
  const fd = tcpListener('127.0.0.1', 0);
  const theirs = dupFd(fd);
  const lingers = Buffer.from([1, 0, 0, 0, 60, 0, 0, 0]); // struct linger: on, 60 s
  expect(setsockopt(theirs, SOL_SOCKET, SO_LINGER, lingers, 8)).toBe(0);
  closeListener(fd);
  const now = Buffer.alloc(8);
  expect(getsockopt(theirs, SOL_SOCKET, SO_LINGER, now, Buffer.from([8, 0, 0, 0]))).toBe(0);
  expect(now.readInt32LE(0)).toBe(0);
  closeFd(theirs);
});
