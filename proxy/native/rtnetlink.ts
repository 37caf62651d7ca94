// Policy routing of the network namespace the thread is in (rtnetlink(7), linux/fib_rules.h): packets
// that carry a mark are delivered on this host, whatever their destination.
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import { concat } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { closeFd } from './fd.ts';
import { attribute, netlinkSocket, request, type NetlinkMessage } from './netlink.ts';
import { addressBytes, AF_INET, AF_INET6 } from './sockaddr.ts';

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
/** Where rtm_type stands in struct rtmsg. */
const ROUTE_TYPE_AT = 7;
/** The loopback interface of every network namespace. */
const LOOPBACK_INDEX = 1;

/** A kernel without this family, or without rules for it. */
const UNSUPPORTED = ['EAFNOSUPPORT', 'EOPNOTSUPP'] as const;

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
  change(family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, ruleFor(routing), ['EEXIST']);
  change(family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, routeTo(routing));
}

/** Undoes deliverMarked(); nothing to undo is no error. Errors: SYSCALL_FAILED. */
export function routeMarkedAgain(family: 4 | 6, routing: MarkRouting): void {
  change(family, RTM_DELRULE, 0, ruleFor(routing), ['ENOENT', ...UNSUPPORTED]);
  change(family, RTM_DELROUTE, 0, routeTo(routing), ['ESRCH', ...UNSUPPORTED]);
}

/** Whether a packet to `address` with this mark would be delivered on this host. Errors: SYSCALL_FAILED. */
export function isDeliveredHere(address: string, mark: number): boolean {
  const to = addressBytes(address);
  const question = [
    routeHeader({ addressBits: 8 * to.length }),
    attribute(RTA_DST, to),
    attribute(RTA_MARK, u32(mark)),
  ];
  const answer = ask(to.length === 4 ? 4 : 6, RTM_GETROUTE, 0, question);
  return 'body' in answer && answer.body[ROUTE_TYPE_AT] === RTN_LOCAL;
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

function u32(value: number): Buffer {
  const raw = Buffer.alloc(4);
  raw.writeUInt32LE(value);
  return raw;
}

/** Errors: SYSCALL_FAILED, but for the errnos that are `fine`. */
function change(
  family: 4 | 6,
  type: number,
  flags: number,
  parts: readonly Buffer[],
  fine: readonly string[] = [],
): void {
  const answer = ask(family, type, flags | NLM_F_ACK, parts);
  if (!('errno' in answer) || answer.errno === 0) return;
  const name = ERRNO_NAMES.get(answer.errno) ?? `E${answer.errno}`;
  if (fine.includes(name)) return;
  throw new TidelockError('SYSCALL_FAILED', {
    op: 'syscall.rtnetlink',
    message: `Cannot change routing rules: ${name}`,
    hint: 'The kernel needs IP_MULTIPLE_TABLES and IPV6_MULTIPLE_TABLES, and the agent CAP_NET_ADMIN.',
  });
}

function ask(
  family: 4 | 6,
  type: number,
  flags: number,
  parts: readonly Buffer[],
): NetlinkMessage | { readonly errno: number } {
  const body = concat(...parts);
  body[0] = family === 4 ? AF_INET : AF_INET6; // of both headers
  const fd = netlinkSocket('route');
  try {
    return request(fd, type, flags, body);
  } finally {
    closeFd(fd);
  }
}

/** Of two names for one number the last counts: EOPNOTSUPP, not ENOTSUP. */
const ERRNO_NAMES = new Map(
  Object.entries(koffi.os.errno).map(([name, number]) => [number, name] as const),
);
