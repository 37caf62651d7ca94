// What a listening socket is by the kernel's word and nobody else's: its address and the network
// namespace it lives in; and how one is closed that another process holds as well.
import { Buffer } from 'node:buffer';
import { closeSync, fstatSync } from 'node:fs';
import { closeFd } from './fd.ts';
import { libc } from './libc.ts';
import { getsockopt, IPPROTO_TCP, setsockopt, SO_LINGER, SOL_SOCKET } from './sockopt.ts';
import { decodeSockaddr, type Endpoint } from './sockaddr.ts';

const getsockname: (fd: number, address: Buffer, length: Buffer) => number = libc.func(
  'int getsockname(int fd, void *address, void *length)',
);
const ioctl: (fd: number, request: number) => number = libc.func(
  'int ioctl(int fd, unsigned long request)',
);

const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const SO_COOKIE = 57;
/** linux/sockios.h: a descriptor of the socket's network namespace. */
const SIOCGSKNS = 0x894c;

/** Where a socket listens. */
export interface ListeningPlace extends Endpoint {
  /** Inode of the network namespace (namespaces(7)). */
  readonly netns: number;
}

/** Where `fd` listens for TCP; undefined when it is anything else. Needs CAP_NET_ADMIN there. */
export function listeningPlace(fd: number): ListeningPlace | undefined {
  if (!isListening(fd) || option(fd, SO_PROTOCOL) !== IPPROTO_TCP) return undefined;
  const name = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(name.length);
  if (getsockname(fd, name, length) < 0) return undefined;
  const endpoint = decodeSockaddr(name);
  const netns = netnsOf(fd);
  return endpoint && netns !== undefined ? { ...endpoint, netns } : undefined;
}

/**
 * Closes a listening socket that a data plane holds or held as well: that could have made a connection
 * of it, and have the last one to close it wait for the peer (SO_LINGER, socket(7)).
 */
export function closeListener(fd: number): void {
  setsockopt(fd, SOL_SOCKET, SO_LINGER, Buffer.alloc(8), 8); // struct linger: off
  closeFd(fd);
}

/** Whether it is a socket that listens; false for whatever is no socket. */
export const isListening = (fd: number): boolean => option(fd, SO_ACCEPTCONN) === 1;

/** Whether two descriptors are of one socket (SO_COOKIE), whose queue of connections both then share. */
export function isSameSocket(a: number, b: number): boolean {
  const [ofA, ofB] = [read(a, SO_COOKIE, 8), read(b, SO_COOKIE, 8)];
  return ofA !== undefined && ofB?.equals(ofA) === true;
}

const option = (fd: number, name: number): number | undefined => read(fd, name, 4)?.readInt32LE(0);

function read(fd: number, name: number, lenBytes: number): Buffer | undefined {
  const value = Buffer.alloc(lenBytes);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(lenBytes);
  return getsockopt(fd, SOL_SOCKET, name, value, length) < 0 ? undefined : value;
}

function netnsOf(fd: number): number | undefined {
  const netns = ioctl(fd, SIOCGSKNS);
  if (netns < 0) return undefined;
  try {
    return fstatSync(netns).ino;
  } finally {
    closeSync(netns);
  }
}
