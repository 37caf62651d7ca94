// Ethernet frames of TCP as a program with CAP_NET_RAW makes them, byte by byte, and the ways by which it
// may hand them to a device.
import { run } from '#agent/base/run.ts';

/** Addresses of the pod and of the outside in these frames. */
export const POD4 = '10.78.0.2';
export const OUTSIDE4 = '10.78.0.1';
export const POD6 = 'fd78::2';
export const OUTSIDE6 = 'fd78::1';

const ENDS4 = '0a4e00020a4e0001';
const ENDS6 = `fd78${'0'.repeat(24)}0002fd78${'0'.repeat(24)}0001`;

/** Flags of TCP (RFC 9293 3.1). */
export const FLAGS = { none: 0, fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10 } as const;

export interface Packet {
  readonly to: string;
  /** EtherType, after the tags of VLANs where there are some, as hex. */
  readonly etherType: string;
  /** The IP header and its extensions, as hex. */
  readonly headers: string;
  /** How much there is of the TCP header: flags are in its 14th byte. */
  readonly tcpBytes: number;
  readonly flags: number;
  /** Zero bytes behind the header. */
  readonly payload: number;
}

const BARE = { tcpBytes: 20, flags: FLAGS.syn, payload: 0 } as const;

export const IPV4: Packet = {
  ...BARE,
  to: OUTSIDE4,
  etherType: '0800',
  headers: `450000280001400040060000${ENDS4}`,
};
const IPV4_FRAGMENT: Packet = {
  ...IPV4,
  headers: `4500001c0001200040060000${ENDS4}`,
  tcpBytes: 8,
};
const IPV6: Packet = {
  ...BARE,
  to: OUTSIDE6,
  etherType: '86dd',
  headers: `6000000000140640${ENDS6}`,
};
const IPV6_OPTIONS: Packet = { ...IPV6, headers: `60000000001c3c40${ENDS6}0600010400000000` };
const IPV6_CHAIN: Packet = {
  ...IPV6,
  headers: `6000000000240040${ENDS6}3c000104000000000600010400000000`,
};
const IPV6_FRAGMENT: Packet = {
  ...IPV6,
  headers: `6000000000102c40${ENDS6}0600000100000001`,
  tcpBytes: 8,
};

const tagged = (tags: string, packet: Packet = IPV4): Packet => ({
  ...packet,
  etherType: `${tags}${packet.etherType}`,
});

/** Each form of a connection's first packet, named. */
export const OPENINGS: readonly (readonly [string, Packet])[] = [
  ['IPv4', IPV4],
  ['a fragment of IPv4', IPV4_FRAGMENT],
  ['IPv6', IPV6],
  ['IPv6 with options', IPV6_OPTIONS],
  ['IPv6 with two extension headers', IPV6_CHAIN],
  ['a fragment of IPv6', IPV6_FRAGMENT],
  ['a priority tag', tagged('81000000')],
  ['a VLAN tag', tagged('81000007')],
  ['a tag of 802.1ad', tagged('88a80007')],
  ['two tags', tagged('88a8000781000008')],
  ['two tags and IPv6', tagged('8100000081000000', IPV6)],
];

/** Each form of a packet that opens no connection, named. */
export const OTHERS: readonly (readonly [string, Packet])[] = [
  ['ACK with data', { ...IPV4, flags: FLAGS.ack, payload: 100 }],
  ['a bare ACK', { ...IPV4, flags: FLAGS.ack }],
  ['SYN and ACK', { ...IPV4, flags: FLAGS.syn | FLAGS.ack }],
  ['FIN', { ...IPV4, flags: FLAGS.fin }],
  ['RST', { ...IPV4, flags: FLAGS.rst }],
  ['RST with data', { ...IPV6, flags: FLAGS.rst, payload: 100 }],
  ['no flag', { ...IPV4, flags: FLAGS.none }],
  ['a tag and no flag', { ...tagged('81000000'), flags: FLAGS.none }],
];

/** `packet` from the pod to `port` outside, as a frame between two MAC addresses in hex. */
export function frameOf(packet: Packet, port: number, fromMac: string, toMac: string): Buffer {
  const { etherType, headers, tcpBytes, flags, payload } = packet;
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(40_000, 0);
  tcp.writeUInt16BE(port, 2);
  tcp.writeUInt8(5 << 4, 12);
  tcp.writeUInt8(flags, 13);
  const before = Buffer.from(`${toMac}${fromMac}${etherType}${headers}`, 'hex');
  return Buffer.concat([before, tcp.subarray(0, tcpBytes), Buffer.alloc(payload)]);
}

/** PACKET_QDISC_BYPASS of SOL_PACKET, as socat takes it. */
export const JUMP_THE_QUEUE = 'setsockopt-int=263:20:1';

/** A program in a named namespace that is no child of this process: what the agent starts itself is its own. */
export const stranger = (netns: string, ...argv: string[]): [string, ...string[]] => [
  'sh',
  '-c',
  '"$@"; exit $?',
  'sh',
  'ip',
  'netns',
  'exec',
  netns,
  ...argv,
];

/** Hands a frame to `device` in a named namespace by a packet socket with socat's `options`. */
export const sendFrame = (
  netns: string,
  device: string,
  frame: Buffer,
  ...options: string[]
): Promise<unknown> =>
  run(stranger(netns, 'socat', '-u', '-', [`INTERFACE:${device}`, ...options].join()), {
    input: frame,
  });
