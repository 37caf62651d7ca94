// TCP sockets as bare descriptors, made in whatever network namespace the thread is in, and what
// Node's net cannot ask of a socket. Everything here returns at once: sockets are non-blocking.
import { Buffer } from 'node:buffer';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';
import { getsockopt, IPPROTO_TCP, setsockopt, SOL_SOCKET } from './sockopt.ts';
import { AF_INET, AF_INET6, decodeSockaddr, encodeSockaddr, type Endpoint } from './sockaddr.ts';

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const bind: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int bind(int fd, const void *address, uint32_t length)',
);
const listen: (fd: number, backlog: number) => number = libc.func(
  'int listen(int fd, int backlog)',
);
const socketpair: (domain: number, type: number, protocol: number, pair: Buffer) => number =
  libc.func('int socketpair(int domain, int type, int protocol, void *pair)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
/** SOCK_NONBLOCK and SOCK_CLOEXEC of socket(2). */
const SOCK_FLAGS = 0o4000 | 0o2000000;
const TCP_NODELAY = 1;
const SO_REUSEADDR = 2;
const SO_OOBINLINE = 10;
const SO_REUSEPORT = 15;
const SO_SNDBUFFORCE = 32;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO_IP = 0;
const ON = Buffer.of(1, 0, 0, 0);
/** linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h */
const SO_ORIGINAL_DST = 80;

/**
 * An unconnected TCP socket of the thread's network namespace, through which bytes pass as they were
 * sent: no segment waits for another (Nagle), and an urgent byte keeps its place in the stream instead
 * of being left out of it. What it accepts as a listener has the same settings. Errors: SYSCALL_FAILED.
 */
export function tcpSocket(family: 4 | 6): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = checked('socket', socket(domain, SOCK_STREAM | SOCK_FLAGS, 0));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, ON.length);
  setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, ON, ON.length);
  return fd;
}

/** Whether several processes may listen on the port, each getting a share of the connections. */
export interface ListenOptions {
  readonly reusePort?: boolean;
  readonly backlog?: number;
}

/** A listening TCP socket at `address`:`port`. Errors: SYSCALL_FAILED (errno EADDRINUSE). */
export function tcpListener(address: string, port: number, options: ListenOptions = {}): number {
  const name = encodeSockaddr(address, port);
  const family = name.length === 16 ? 4 : 6;
  const fd = tcpSocket(family);
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reusePort === true) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family === 6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    checked('bind', bind(fd, name, name.length));
    checked('listen', listen(fd, options.backlog ?? 4096));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

const name = Buffer.alloc(28);
const nameLength = Buffer.alloc(4);

/**
 * Where an accepted connection was going before nftables redirected it; undefined when it was not
 * redirected: loopback is exempt from the redirect, so that a loopback destination is a client that
 * connected to the listener itself.
 */
export function originalDestination(fd: number, family: 4 | 6): Endpoint | undefined {
  nameLength.writeUInt32LE(name.length);
  const level = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (getsockopt(fd, level, SO_ORIGINAL_DST, name, nameLength) < 0) return undefined;
  const destination = decodeSockaddr(name);
  return destination === undefined || isLoopback(destination.address) ? undefined : destination;
}

/** Loopback, or an address that stands for it when connected to, IPv4 in IPv6 included. */
const isLoopback = (address: string): boolean => /^((::ffff:)?(127|0)\.|::1?$)/i.test(address);

/** Two connected Unix sockets, non-blocking. Errors: SYSCALL_FAILED. */
export function socketPair(type: 'stream' | 'seqpacket'): readonly [number, number] {
  const pair = Buffer.alloc(8);
  const kind = type === 'stream' ? SOCK_STREAM : SOCK_SEQPACKET;
  checked('socketpair', socketpair(AF_UNIX, kind | SOCK_FLAGS, 0, pair));
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

/** Lets more bytes wait unread than net.core.wmem_max allows; needs CAP_NET_ADMIN. */
export const forceSendBuffer = (fd: number, lenBytes: number): void =>
  setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, lenBytes);

function setOption(fd: number, level: number, option: number, value: number): void {
  const raw = Buffer.alloc(4);
  raw.writeInt32LE(value);
  checked('setsockopt', setsockopt(fd, level, option, raw, raw.length));
}
