// Unix-domain sockets where Node's net is not enough (unix(7)): bound by one process to be listened on
// by another, connected without an event loop, and who is at the other end.
import { Buffer } from 'node:buffer';
import { closeFd } from './fd.ts';
import { checked, errnoOf, libc } from './libc.ts';

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const bind: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int bind(int fd, const void *address, uint32_t length)',
);
const connect: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
);
const getsockopt: (
  fd: number,
  level: number,
  option: number,
  value: Buffer,
  length: Buffer,
) => number = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)');

const AF_UNIX = 1;
/** SOCK_STREAM, SOCK_NONBLOCK and SOCK_CLOEXEC of socket(2). */
const STREAM = 1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** sun_path, its closing zero included. */
const MAX_PATH_BYTES = 108;

/** The process at the other end, as the kernel noted it at connect(2) or listen(2). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A stream socket at `path` with mode 0600; who it is given to calls listen. Errors: SYSCALL_FAILED. */
export function bindUnix(path: string): number {
  const before = process.umask(0o177);
  try {
    return withSocket((fd) => checked('bind', bind(fd, ...named(path))));
  } finally {
    process.umask(before);
  }
}

/** A stream connected to `path`; undefined when nobody listens there. Errors: SYSCALL_FAILED. */
export function connectUnix(path: string): number | undefined {
  try {
    return withSocket((fd) => checked('connect', connect(fd, ...named(path))));
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** SO_PEERCRED of a connected Unix socket. Errors: SYSCALL_FAILED. */
export function peerCredentials(fd: number): PeerCredentials {
  const value = Buffer.alloc(12); // struct ucred
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  checked('getsockopt', getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length));
  const [pid, uid, gid] = [value.readInt32LE(0), value.readUInt32LE(4), value.readUInt32LE(8)];
  return { pid, uid, gid };
}

function withSocket(use: (fd: number) => void): number {
  const fd = checked('socket', socket(AF_UNIX, STREAM, 0));
  try {
    use(fd);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** struct sockaddr_un and its length. Errors: RangeError for a path that does not fit. */
function named(path: string): [Buffer, number] {
  const name = Buffer.from(`${path}\0`);
  if (name.length > MAX_PATH_BYTES) throw new RangeError(`path of ${name.length - 1} bytes`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return [address, address.length];
}
