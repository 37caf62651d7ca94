// File descriptors from process to process: SCM_RIGHTS (unix(7)) over a SEQPACKET socket, in bulk.
// A message is a 4-byte ticket and its descriptors; what they are for is said elsewhere, under that
// ticket.
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { closeFd } from './fd.ts';
import { checked, libc, wouldBlock } from './libc.ts';

const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
const msghdr = koffi.struct({
  name: 'void *',
  nameLength: 'uint32_t',
  vector: koffi.pointer(iovec),
  vectorLength: 'size_t',
  control: 'void *',
  controlLength: 'size_t',
  flags: 'int',
});

interface MessageHeader {
  readonly name: null;
  readonly nameLength: 0;
  readonly vector: readonly { readonly base: Buffer; readonly length: number }[];
  readonly vectorLength: 1;
  readonly control: Buffer;
  readonly controlLength: number;
  readonly flags: number;
}

const sendmsg: (fd: number, message: MessageHeader, flags: number) => number = libc.func(
  'sendmsg',
  'int64_t',
  ['int', koffi.pointer(msghdr), 'int'],
);
const recvmsg: (fd: number, message: MessageHeader, flags: number) => number = libc.func(
  'recvmsg',
  'int64_t',
  ['int', koffi.inout(koffi.pointer(msghdr)), 'int'],
);

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** struct cmsghdr: size_t length, int level, int type; data is padded to 8 bytes (cmsg(3)). */
const CMSG_HEADER_BYTES = 16;
/** SCM_MAX_FD of the kernel. */
export const MAX_FDS = 253;

const TICKET_BYTES = 4;

export interface PassedFds {
  readonly ticket: number;
  /** Close-on-exec; whoever receives them closes them. Empty where this process may open no more. */
  readonly fds: readonly number[];
}

/**
 * Sends copies of 1 to MAX_FDS descriptors; the sender keeps its own. False when the other end has
 * left so many unread that it must wait. Errors: SYSCALL_FAILED (errno EPIPE when the end is gone).
 */
export function sendFds(socketFd: number, ticket: number, fds: readonly number[]): boolean {
  if (fds.length === 0 || fds.length > MAX_FDS) throw new RangeError(`${fds.length} descriptors`);
  const data = Buffer.alloc(TICKET_BYTES);
  data.writeUInt32LE(ticket);
  const control = Buffer.alloc(controlBytes(fds.length));
  control.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + fds.length * 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  fds.forEach((fd, i) => control.writeInt32LE(fd, CMSG_HEADER_BYTES + i * 4));
  const sent = sendmsg(socketFd, header(data, control), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && wouldBlock()) return false;
  checked('sendmsg', sent);
  return true;
}

/**
 * The next message, or undefined when none waits. Descriptors of a message that is none go to `letGo`:
 * closing what a stranger made can wait for him, and so do those of one that came without its others.
 * Errors: SYSCALL_FAILED, RangeError (the other end is gone, or sent no ticket).
 */
export function receiveFds(
  socketFd: number,
  letGo: (fd: number) => void = closeFd,
): PassedFds | undefined {
  const data = Buffer.alloc(TICKET_BYTES);
  const control = Buffer.alloc(controlBytes(MAX_FDS));
  const message = header(data, control);
  const got = recvmsg(socketFd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && wouldBlock()) return undefined;
  checked('recvmsg', got);
  const fds = descriptorsIn(control);
  const isWhole = (message.flags & MSG_CTRUNC) === 0;
  if (got === TICKET_BYTES && isWhole) return { ticket: data.readUInt32LE(0), fds };
  fds.forEach(letGo);
  if (got === TICKET_BYTES) return { ticket: data.readUInt32LE(0), fds: [] };
  throw new RangeError(got === 0 ? 'the fd socket is closed' : 'a message without a ticket');
}

function descriptorsIn(control: Buffer): number[] {
  const length = Number(control.readBigUInt64LE(0));
  const isRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  if (!isRights || length < CMSG_HEADER_BYTES || length > control.length) return [];
  const count = Math.floor((length - CMSG_HEADER_BYTES) / 4);
  return Array.from({ length: count }, (_, i) => control.readInt32LE(CMSG_HEADER_BYTES + i * 4));
}

const controlBytes = (count: number): number => CMSG_HEADER_BYTES + Math.ceil((count * 4) / 8) * 8;

const header = (data: Buffer, control: Buffer): MessageHeader => ({
  name: null,
  nameLength: 0,
  vector: [{ base: data, length: data.length }],
  vectorLength: 1,
  control,
  controlLength: control.length,
  flags: 0,
});
