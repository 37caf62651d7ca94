// Sockets that speak from an address of another host (IP_TRANSPARENT, ip(7)): made by a process with
// CAP_NET_ADMIN, bound by whoever holds them. Where the answers go is the routing's business.
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';
import { getsockopt, setsockopt, SOL_SOCKET } from './sockopt.ts';
import { writeSockaddr } from './sockaddr.ts';
import { tcpSocket } from './socket.ts';

const bind: (fd: number, address: Buffer, length: number) => number = libc.func(
  'int bind(int fd, const void *address, uint32_t length)',
);

const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_TRANSPARENT = 19;
const IPV6_TRANSPARENT = 75;
const IP_BIND_ADDRESS_NO_PORT = 24;
const SO_REUSEADDR = 2;
const SO_MARK = 36;
const EADDRNOTAVAIL = koffi.os.errno['EADDRNOTAVAIL'];
const ON = Buffer.of(1, 0, 0, 0);

/**
 * An unconnected TCP socket of the thread's network namespace that speakFrom() can bind to any address,
 * and whose packets carry `mark`. Needs CAP_NET_ADMIN. Errors: SYSCALL_FAILED.
 */
export function transparentSocket(family: 4 | 6, mark: number): number {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(mark);
  const fd = tcpSocket(family);
  try {
    if (family === 4) set(fd, IPPROTO_IP, IP_TRANSPARENT, ON);
    else set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, ON);
    set(fd, SOL_SOCKET, SO_MARK, value);
    setSpeaking(fd);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Makes a socket one for speakFrom(), but for the right to addresses of others. Errors: SYSCALL_FAILED. */
export function setSpeaking(fd: number): void {
  // A client's connections to several ports come from one of its own each time.
  set(fd, SOL_SOCKET, SO_REUSEADDR, ON);
  // Without a port of its own connect(2) chooses one, by the whole of addresses and ports.
  set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON);
}

const name = Buffer.alloc(28);
const value = Buffer.alloc(4);
const size = Buffer.of(4, 0, 0, 0);

/** Whether setSpeaking() made it one. */
function isSpeaking(fd: number): boolean {
  const isRead = getsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, value, size) === 0;
  return isRead && value.readInt32LE(0) !== 0;
}

/**
 * Binds a socket to `address` and `port`, or to any port where that one is taken (0: any). False when it
 * is an ordinary socket, which then connects from an address of its own namespace: which one is not for
 * `address` to choose.
 */
export function speakFrom(fd: number, address: string, port: number): boolean {
  if (!isSpeaking(fd)) return false;
  const length = writeSockaddr(name, address, port);
  if (bind(fd, name, length) === 0) return true;
  if (koffi.errno() === EADDRNOTAVAIL || port === 0) return false;
  name.writeUInt16BE(0, 2);
  return bind(fd, name, length) === 0;
}

const set = (fd: number, level: number, option: number, value: Buffer): number =>
  checked('setsockopt', setsockopt(fd, level, option, value, value.length));
