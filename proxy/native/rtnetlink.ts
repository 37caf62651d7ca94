// Policy routing of the network namespace the thread is in (rtnetlink(7), linux/fib_rules.h): packets
// that carry a mark are delivered on this host, whatever their destination. Every call is one request
// and its answer; the kernel answers before send(2) returns.
import koffi from 'koffi';
import { TidelockError } from '#agent/base/errors.ts';
import { addressBytes, AF_INET, AF_INET6 } from './sockaddr.ts';
import { closeFd } from './fd.ts';
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
const NETLINK_ROUTE = 0;
/** SOCK_RAW and SOCK_CLOEXEC of socket(2). */
const SOCKET_TYPE = 3 | 0o2000000;
const MSG_DONTWAIT = 0x40;

const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;

const RTN_LOCAL = 2;
const RT_SCOPE_HOST = 254;
const RTPROT_STATIC = 4;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const FR_ACT_TO_TBL = 1;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
/** The loopback interface of every network namespace. */
const LOOPBACK_INDEX = 1;

/** A kernel without this family, or without rules for it. */
const UNSUPPORTED = ['EAFNOSUPPORT', 'EOPNOTSUPP'] as const;

const HEADER_BYTES = 16;
const ANSWER_BYTES = 4096;

/** Which packets, and where the rule and its route stand. */
export interface MarkRouting {
  readonly mark: number;
  /** Number of the routing table, nobody else's. */
  readonly table: number;
  /** Of the rule: after that of the kernel's local table (0), before that of the main one (32766). */
  readonly priority: number;
}

/** Has packets with the mark delivered on this host. Being there already is no error. Errors: SYSCALL_FAILED. */
export function deliverMarked(family: 4 | 6, routing: MarkRouting): void {
  // The rule first: a kernel without such rules would put the route into its main table.
  request(family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, ruleFor(routing), ['EEXIST']);
  request(family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, routeTo(routing));
}

/** Undoes deliverMarked(); nothing to undo is no error. Errors: SYSCALL_FAILED. */
export function routeMarkedAgain(family: 4 | 6, routing: MarkRouting): void {
  request(family, RTM_DELRULE, 0, ruleFor(routing), ['ENOENT', ...UNSUPPORTED]);
  request(family, RTM_DELROUTE, 0, routeTo(routing), ['ESRCH', ...UNSUPPORTED]);
}

/** Whether a packet to `address` with this mark would be delivered on this host. Errors: SYSCALL_FAILED. */
export function isDeliveredHere(address: string, mark: number): boolean {
  const to = addressBytes(address);
  const question = [
    routeHeader({ addressBits: 8 * to.length }),
    attribute(RTA_DST, to),
    attribute(RTA_MARK, u32(mark)),
  ];
  const family = to.length === 4 ? 4 : 6;
  const nowhere = ['ENETUNREACH', 'EHOSTUNREACH', ...UNSUPPORTED];
  const answer = request(family, RTM_GETROUTE, 0, question, nowhere);
  return answer.readUInt16LE(4) === RTM_NEWROUTE && answer[HEADER_BYTES + 7] === RTN_LOCAL;
}

/** `struct fib_rule_hdr` and its attributes, but for the family. */
const ruleFor = ({ mark, table, priority }: MarkRouting): Buffer[] => [
  Buffer.of(0, 0, 0, 0, 0, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0),
  attribute(FRA_PRIORITY, u32(priority)),
  attribute(FRA_FWMARK, u32(mark)),
  attribute(FRA_TABLE, u32(table)),
];

/** The route to everywhere, by loopback. */
const routeTo = ({ table }: MarkRouting): Buffer[] => [
  routeHeader({ protocol: RTPROT_STATIC, scope: RT_SCOPE_HOST, type: RTN_LOCAL }),
  attribute(RTA_TABLE, u32(table)),
  attribute(RTA_OIF, u32(LOOPBACK_INDEX)),
];

/** `struct rtmsg`, but for the family. */
const routeHeader = ({ addressBits = 0, protocol = 0, scope = 0, type = 0 }): Buffer =>
  Buffer.of(0, addressBits, 0, 0, 0, protocol, scope, type, 0, 0, 0, 0);

/** `struct rtattr`; every value here is a multiple of 4 bytes long. */
function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(head.length + value.length, 0);
  head.writeUInt16LE(type, 2);
  return Buffer.concat([head, value]);
}

function u32(value: number): Buffer {
  const raw = Buffer.alloc(4);
  raw.writeUInt32LE(value);
  return raw;
}

/** The kernel's answer. Errors: SYSCALL_FAILED, but for the errnos that are `fine`. */
function request(
  family: 4 | 6,
  type: number,
  flags: number,
  parts: readonly Buffer[],
  fine: readonly string[] = [],
): Buffer {
  const message = Buffer.concat([Buffer.alloc(HEADER_BYTES), ...parts]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  // A question is answered by its answer.
  message.writeUInt16LE(NLM_F_REQUEST | flags | (type === RTM_GETROUTE ? 0 : NLM_F_ACK), 6);
  message[HEADER_BYTES] = family === 4 ? AF_INET : AF_INET6;
  const answer = ask(message);
  const errno = answer.readUInt16LE(4) === NLMSG_ERROR ? -answer.readInt32LE(HEADER_BYTES) : 0;
  const name = errno === 0 ? undefined : ERRNO_NAMES.get(errno);
  if (errno === 0 || (name !== undefined && fine.includes(name))) return answer;
  throw new TidelockError('SYSCALL_FAILED', {
    op: 'syscall.rtnetlink',
    message: `Cannot change or read routing rules: ${name ?? `E${errno}`}`,
    hint: 'The kernel needs IP_MULTIPLE_TABLES and IPV6_MULTIPLE_TABLES, and the agent CAP_NET_ADMIN.',
  });
}

function ask(message: Buffer): Buffer {
  const fd = checked('socket', socket(AF_NETLINK, SOCKET_TYPE, NETLINK_ROUTE));
  try {
    checked('send', send(fd, message, message.length, 0));
    const answer = Buffer.alloc(ANSWER_BYTES);
    const length = checked('recv', recv(fd, answer, answer.length, MSG_DONTWAIT));
    return answer.subarray(0, length);
  } finally {
    closeFd(fd);
  }
}

const ERRNO_NAMES = new Map(
  Object.entries(koffi.os.errno).map(([name, number]) => [number, name] as const),
);
