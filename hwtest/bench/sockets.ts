// TCP as bare system calls for the load and the echo of the bench: a few microseconds a connection, so
// that what is measured is the proxy between the two. IPv4 and one thread.
import { checked } from '#proxy/native/libc.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import {
  WOULD_BLOCK,
  acceptNext as acceptFrom,
  receive,
  startConnecting as connectTo,
  transmit,
} from '#proxy/native/stream.ts';

/** Starts a connection without waiting for it. Errors: SYSCALL_FAILED. */
export function startConnecting(name: Buffer): number {
  const fd = tcpSocket(4);
  checked('connect', connectTo(fd, name) ? 0 : -1);
  return fd;
}

/** An address as connect(2) takes it. */
export const nameOf = (address: string, port: number): Buffer => encodeSockaddr(address, port);

/** The next waiting connection, undefined when none waits. Errors: SYSCALL_FAILED. */
export function acceptNext(listener: number): number | undefined {
  return acceptFrom(listener)?.fd;
}

/** Bytes sent, undefined when the connection is gone or full. */
export function sendSome(fd: number, bytes: Buffer, length: number): number | undefined {
  const sent = transmit(fd, bytes.subarray(0, length), false);
  return sent < 0 ? undefined : sent;
}

/** Bytes read into `into`, 0 at the end or after a reset, undefined when nothing waits. */
export function receiveSome(fd: number, into: Buffer): number | undefined {
  const length = receive(fd, into);
  return length === WOULD_BLOCK ? undefined : Math.max(0, length);
}
