// Netlink sockets (netlink(7)) for one question: a dump, which the kernel answers within the calls. A
// socket asks the network namespace in which it was made, wherever the thread is by then.
import { checked, libc } from './libc.ts';

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
const recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number = libc.func(
  'int64_t recv(int fd, void *bytes, size_t length, int flags)',
);

const AF_NETLINK = 16;
const SOCK_RAW = 3;
/** SOCK_NONBLOCK and SOCK_CLOEXEC of socket(2). */
const SOCK_FLAGS = 0o4000 | 0o2000000;
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** struct nlmsghdr: length 4, type 2, flags 2, sequence 4, port 4. */
const HEADER_BYTES = 16;
/** struct nlattr: length 2, type 2; what follows is padded to 4. */
const ATTRIBUTE_BYTES = 4;
/** The kernel's largest part of a dump is 32 KiB (netlink_dump). */
const PART_BYTES = 64 << 10;

/** One message of a dump. */
export interface NetlinkMessage {
  readonly type: number;
  /** What follows the header. */
  readonly body: Buffer;
}

/** A socket of the thread's network namespace, for netfilter; the caller closes it. Errors: SYSCALL_FAILED. */
export const netfilterSocket = (): number =>
  checked('socket', socket(AF_NETLINK, SOCK_RAW | SOCK_FLAGS, NETLINK_NETFILTER));

/** All that the kernel says to a dump request of `type` with `body`. Errors: SYSCALL_FAILED, RangeError. */
export function dump(fd: number, type: number, body: Buffer): NetlinkMessage[] {
  const request = Buffer.alloc(HEADER_BYTES + body.length);
  request.writeUInt32LE(request.length, 0);
  request.writeUInt16LE(type, 4);
  request.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6);
  request.set(body, HEADER_BYTES);
  checked('send', send(fd, request, request.length, 0));
  const messages: NetlinkMessage[] = [];
  const part = Buffer.alloc(PART_BYTES);
  for (;;) {
    const length = checked('recv', recv(fd, part, part.length, 0));
    for (const message of messagesIn(Buffer.from(part.subarray(0, length)))) {
      if (message.type === NLMSG_DONE) return messages;
      if (message.type === NLMSG_ERROR)
        throw new RangeError(`netlink: error ${message.body.readInt32LE(0)}`);
      messages.push(message);
    }
  }
}

function messagesIn(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Math.max(HEADER_BYTES, bytes.readUInt32LE(at));
    const body = bytes.subarray(at + HEADER_BYTES, at + length);
    messages.push({ type: bytes.readUInt16LE(at + 4), body });
    at += padded(length);
  }
  return messages;
}

/** Attributes by type; values lie inside `bytes`. */
export function attributesIn(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + ATTRIBUTE_BYTES <= bytes.length;) {
    const length = Math.max(ATTRIBUTE_BYTES, bytes.readUInt16LE(at));
    found.set(
      bytes.readUInt16LE(at + 2) & TYPE_MASK,
      bytes.subarray(at + ATTRIBUTE_BYTES, at + length),
    );
    at += padded(length);
  }
  return found;
}

/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** One attribute as it is sent. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(padded(ATTRIBUTE_BYTES + value.length));
  bytes.writeUInt16LE(ATTRIBUTE_BYTES + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, ATTRIBUTE_BYTES);
  return bytes;
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;
