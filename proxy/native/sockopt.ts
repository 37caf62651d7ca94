// getsockopt(2) and setsockopt(2), for the files of this folder that each know a few options.
import { libc } from './libc.ts';

export const getsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  size: Buffer,
) => number = libc.func('int getsockopt(int fd, int level, int name, void *value, void *size)');

export const setsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  size: number,
) => number = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t size)',
);

export const SOL_SOCKET = 1;
export const SO_LINGER = 13;
export const IPPROTO_TCP = 6;
