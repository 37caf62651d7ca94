// Anonymous files (memfd_create(2)) mapped into this process: memory that several processes share and
// that outlives any of them. A mapping is never undone, because an ArrayBuffer over it may live
// anywhere; it ends with the process.
import { fstatSync } from 'node:fs';
import koffi from 'koffi';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';

const memfdCreate: (name: string, flags: number) => number = libc.func(
  'int memfd_create(const char *name, unsigned int flags)',
);
const ftruncate: (fd: number, length: number) => number = libc.func(
  'int ftruncate(int fd, int64_t length)',
);
const lseek: (fd: number, offset: number, whence: number) => number = libc.func(
  'int64_t lseek(int fd, int64_t offset, int whence)',
);
const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  'int fcntl(int fd, int command, int argument)',
);
const mmap: (
  address: null,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint = libc.func(
  'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
);

const MFD_CLOEXEC_ALLOW_SEALING = 1 | 2;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW: no holder can cut the file under another's mapping. */
const SEALS = 1 | 2 | 4;
const SEEK_END = 2;
const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED = 1;
/** MAP_FAILED is (void *) -1. */
const MAP_FAILED = 2n ** 64n - 1n;

/** A new file of `lenBytes` zero bytes whose size is sealed, close-on-exec. Errors: SYSCALL_FAILED. */
export function createMemfd(name: string, lenBytes: number): number {
  const fd = checked('memfd_create', memfdCreate(name, MFD_CLOEXEC_ALLOW_SEALING));
  try {
    checked('ftruncate', ftruncate(fd, lenBytes));
    checked('fcntl', fcntl(fd, F_ADD_SEALS, SEALS));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/**
 * Which sealed memfd `fd` is of, no two of one boot being the same; undefined for anything else, of
 * which nothing is asked but whether it has seals: that answer no file system can hold back.
 */
export function memoryId(fd: number): string | undefined {
  if ((Math.max(0, fcntl(fd, F_GET_SEALS, 0)) & SEALS) !== SEALS) return undefined;
  const { dev, ino } = fstatSync(fd);
  return `${dev}:${ino}`;
}

/** Size of a memfd, bytes. Errors: SYSCALL_FAILED. */
const memfdBytes = (fd: number): number => checked('lseek', lseek(fd, 0, SEEK_END));

/** The whole file as memory, shared with everyone who maps it. Errors: SYSCALL_FAILED. */
export function mapMemfd(fd: number): ArrayBuffer {
  const lenBytes = memfdBytes(fd);
  const address = mmap(null, lenBytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  checked('mmap', address === MAP_FAILED ? -1 : 0);
  return koffi.view(address, lenBytes);
}
