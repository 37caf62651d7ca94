// Netlink sockets (netlink(7)) for questions that the kernel answers within the calls: one request, or a
// dump. A socket asks the network namespace in which it was made, wherever the thread is by then.
import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { closeFd } from './fd.ts';
import { checked, libc } from './libc.ts';

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const connect: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
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
/** Whom a socket asks. */
const PROTOCOLS = { route: 0, netfilter: 12 } as const;
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

const part = Buffer.alloc(PART_BYTES);

/** struct sockaddr_nl of the kernel: family 2, padding 2, port 4, groups 4. */
const KERNEL = Buffer.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** Of the newest request: an answer to another is none. Nobody is to know it beforehand. */
let sequence = randomInt(2 ** 32);

/** One message of a dump. */
export interface NetlinkMessage {
  readonly type: number;
  readonly sequence: number;
  /** What follows the header. */
  readonly body: Buffer;
}

/**
 * A socket of the thread's network namespace; the caller closes it. Connected to the kernel it takes nothing
 * from programs there, of which some may send (CAP_NET_ADMIN). Errors: SYSCALL_FAILED.
 */
export function netlinkSocket(protocol: keyof typeof PROTOCOLS): number {
  const fd = checked('socket', socket(AF_NETLINK, SOCK_RAW | SOCK_FLAGS, PROTOCOLS[protocol]));
  try {
    checked('connect', connect(fd, KERNEL, KERNEL.length));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** All that the kernel says to a dump request of `type` with `body`. Errors: SYSCALL_FAILED, RangeError. */
export function dump(fd: number, type: number, body: Buffer): NetlinkMessage[] {
  ask(fd, type, NLM_F_REQUEST | NLM_F_DUMP, body);
  const messages: NetlinkMessage[] = [];
  for (;;) {
    for (const message of listen(fd)) {
      if (message.type === NLMSG_DONE) return messages;
      if (message.type === NLMSG_ERROR) throw new RangeError(`netlink: error ${errnoIn(message)}`);
      messages.push(message);
    }
  }
}

/**
 * The kernel's answer to one request: a message, or the errno with which it refuses; 0: done. `flags` are
 * those of linux/netlink.h, NLM_F_ACK among them where nothing else is answered. Errors: SYSCALL_FAILED.
 */
export function request(
  fd: number,
  type: number,
  flags: number,
  body: Buffer,
): NetlinkMessage | { readonly errno: number } {
  ask(fd, type, NLM_F_REQUEST | flags, body);
  for (;;) {
    const [answer] = listen(fd);
    if (answer !== undefined) {
      return answer.type === NLMSG_ERROR ? { errno: errnoIn(answer) } : answer;
    }
  }
}

function ask(fd: number, type: number, flags: number, body: Buffer): void {
  const message = Buffer.alloc(HEADER_BYTES + body.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  sequence = (sequence + 1) % 2 ** 32;
  message.writeUInt32LE(sequence, 8);
  message.set(body, HEADER_BYTES);
  checked('send', send(fd, message, message.length, 0));
}

/** Of what came next the answers to the newest request. Errors: SYSCALL_FAILED, also when nothing came. */
function listen(fd: number): NetlinkMessage[] {
  const length = checked('recv', recv(fd, part, part.length, 0));
  const messages = messagesIn(Buffer.from(part.subarray(0, length))); // it is read into again
  return messages.filter((message) => message.sequence === sequence);
}

/** Of struct nlmsgerr. */
const errnoIn = ({ body }: NetlinkMessage): number => -body.readInt32LE(0);

function messagesIn(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Math.max(HEADER_BYTES, bytes.readUInt32LE(at));
    const body = bytes.subarray(at + HEADER_BYTES, at + length);
    const type = bytes.readUInt16LE(at + 4);
    messages.push({ type, sequence: bytes.readUInt32LE(at + 8), body });
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
