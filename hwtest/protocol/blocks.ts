// Vectors of what an opening and a reply say (PROTOCOL 6.1 and 6.3): addresses, header, open block, and
// encodings of them that are refused.
import { concat, field, fromHex, u16, u64 } from '#agent/base/bytes.ts';
import { decodeEndpoint, encodeEndpoint, type Endpoint } from '#proxy/see/address.ts';
import { decodeBlock, encodeBlock, encodeHeader, type OpenBlock } from '#proxy/see/opening.ts';
import { SENT_MS, SOURCE, seed } from './cast.ts';
import { SIGNED_ENDORSEMENT, SIGNED_TOKEN } from './maid.ts';
import type { Vector } from './vector.ts';

export const TO_IPV4: Endpoint = { address: '10.244.1.7', port: 5432 };
export const TO_IPV6: Endpoint = { address: '2001:db8:0:1::7', port: 443 };

/** The open block of a workload. */
export const BLOCK: OpenBlock = {
  token: SIGNED_TOKEN,
  endorsement: SIGNED_ENDORSEMENT,
  destination: TO_IPV4,
  client: { address: '10.244.2.9', port: 40_404 },
  sentMs: SENT_MS,
  lineage: Buffer.alloc(0),
};
/** The open block of a canary: of nobody, to nobody (PROTOCOL 8). */
export const CANARY: OpenBlock = {
  ...BLOCK,
  token: Buffer.alloc(0),
  endorsement: Buffer.alloc(0),
  destination: { address: '0.0.0.0', port: 0 },
  client: { address: '0.0.0.0', port: 0 },
};
/** The longest there can be of IPv4 without lineage: 4,096 bytes with nothing to spare. */
const FULL: OpenBlock = {
  ...CANARY,
  token: seed('longest token', 2000),
  endorsement: seed('longest endorsement', 4096 - 2000 - 2 - 2 - 7 - 7 - 8 - 2),
};

export const BLOCKS: readonly (readonly [name: string, block: OpenBlock])[] = [
  ['IPv4', BLOCK],
  ['IPv6', { ...BLOCK, destination: TO_IPV6, client: { address: '::1', port: 65_535 } }],
  ['with a lineage', { ...BLOCK, lineage: seed('lineage') }],
  ['of a canary', CANARY],
  ['of 4,096 bytes', FULL],
];

/** As vectors give it. */
export const shown = ({ destination, client, ...rest }: OpenBlock) => ({
  ...rest,
  destination: { ...destination },
  client: { ...client },
});

export const blockVectors = (): Vector[] => [
  ...ADDRESSES.map((endpoint) => ({
    name: endpoint.address,
    compute: 'address',
    given: { ...endpoint },
    expect: { bytes: encodeEndpoint(endpoint) },
  })),
  ...ADDRESSES.map(readAddress),
  ...BAD_ADDRESSES.map(refusedAddress),
  ...[1, 2, 3].map((suite) => ({
    name: `of suite ${suite}`,
    compute: 'header',
    given: { suite, mode: suite, source: SOURCE, openLen: suite * 64 + 16 },
    expect: {
      header: encodeHeader({
        suite,
        mode: suite,
        srcRef: SOURCE.sid.slice(0, 16),
        openLen: suite * 64 + 16,
      }),
    },
  })),
  ...BLOCKS.map(([name, block]) => ({
    name,
    compute: 'openBlock',
    given: shown(block),
    expect: { block: encodeBlock(block) },
  })),
  ...BAD_BLOCKS.map(refusedBlock),
];

const ADDRESSES: readonly Endpoint[] = [
  { address: '0.0.0.0', port: 0 },
  TO_IPV4,
  { address: '255.255.255.255', port: 65_535 },
  { address: '::', port: 0 },
  TO_IPV6,
  { address: 'fe80::1234:5678:9abc:def0', port: 80 },
];

function readAddress({ address, port }: Endpoint): Vector {
  const bytes = encodeEndpoint({ address, port });
  const read = decodeEndpoint(bytes)?.endpoint;
  if (!read) throw new Error(`refused: ${address}`);
  return { name: address, compute: 'readAddress', given: { bytes }, expect: { ...read } };
}

/** `::ffff:10.0.0.1`, port 80, as IPv6. */
const MAPPED = fromHex('0600000000000000000000ffff0a0000010050');

const BAD_ADDRESSES: readonly (readonly [string, Buffer])[] = [
  ['an IPv4 address mapped into IPv6', MAPPED],
  ['family 0', fromHex('000a0000010050')],
  ['family 5', fromHex('050a0000010050')],
  ['an IPv4 address that ends early', fromHex('040a00000100')],
  ['an IPv6 address that ends early', fromHex('060a0000010050')],
  ['nothing', Buffer.alloc(0)],
];

function refusedAddress([name, bytes]: (typeof BAD_ADDRESSES)[number]): Vector {
  if (decodeEndpoint(bytes)) throw new Error(`not refused: ${name}`);
  return { name, compute: 'readAddress', given: { bytes }, refused: '6.1' };
}

/** Padded to a multiple of 64 by `pad`. */
const padded = (content: Buffer, pad = 0): Buffer => {
  const block = Buffer.alloc(Math.ceil(content.length / 64) * 64, pad);
  block.set(content);
  return block;
};

/** A block of these parts, whatever they are. */
function blockOf(
  change: {
    readonly token?: Buffer;
    readonly destination?: Buffer;
    readonly client?: Buffer;
    readonly sentMs?: Buffer;
    readonly lineage?: Buffer;
  },
  pad = 0,
): Buffer {
  const nobody = encodeEndpoint(CANARY.client);
  const parts = [
    change.token ?? field(''),
    field(''),
    change.destination ?? nobody,
    change.client ?? nobody,
    change.sentMs ?? u64(SENT_MS),
    change.lineage ?? field(''),
  ];
  return padded(concat(...parts), pad);
}

export const BAD_BLOCKS: readonly (readonly [string, Buffer])[] = [
  ['padding that is not zero', blockOf({}, 1)],
  ['64 zeros more than it needs', concat(blockOf({}), Buffer.alloc(64))],
  ['a destination mapped into IPv6', blockOf({ destination: MAPPED })],
  ['a client mapped into IPv6', blockOf({ client: MAPPED })],
  ['a destination of family 5', blockOf({ destination: fromHex('05000000000000') })],
  ['a lineage of 31 bytes', blockOf({ lineage: field(Buffer.alloc(31, 1)) })],
  ['a lineage of 33 bytes', blockOf({ lineage: field(Buffer.alloc(33, 1)) })],
  ['a token longer than the block', blockOf({ token: u16(4000) })],
  ['sentMs of 2^53', blockOf({ sentMs: u64(2 ** 53) })],
  ['all zeros, so no address', Buffer.alloc(64)],
  ['nothing after its token', padded(field(Buffer.alloc(62, 1)))],
];

function refusedBlock([name, block]: (typeof BAD_BLOCKS)[number]): Vector {
  if (decodeBlock(block)) throw new Error(`not refused: ${name}`);
  return { name, compute: 'readOpenBlock', given: { block }, refused: '6.1' };
}
