// PROTOCOL 6.1: header, addresses and the open block of an opening.
import { Cursor, field, hex, join, same, truncate, uint, unhex } from './bytes.ts';
import { refuse } from './refused.ts';
import { endOf } from './statements.ts';
import type { Given, JsonObject, Rows } from './vectors.ts';

/** An address as text, IPv6 in the form of RFC 5952, and a port. */
export interface Socket {
  readonly address: string;
  readonly port: number;
}

/** The content of an open block. */
export interface OpenBlock {
  readonly token: Uint8Array;
  readonly endorsement: Uint8Array;
  readonly destination: Socket;
  readonly client: Socket;
  readonly sentMs: number;
  readonly lineage: Uint8Array;
}

/** Open blocks are padded to a multiple of it. */
export const STEP_BYTES = 64;
/** The longest open block, padded. */
export const BLOCK_MAX_BYTES = 4096;
const MAPPED_PREFIX = unhex('00000000000000000000ffff');

const groupBytes = (group: string): Uint8Array => uint(2, Number.parseInt(group, 16));

/** The 16 bytes of an IPv6 address. */
function ipv6Bytes(address: string): Uint8Array {
  const [head = [], tail = []] = address
    .split('::')
    .map((half) => join(...half.split(':').filter(Boolean).map(groupBytes)));
  return join(
    Uint8Array.from(head),
    new Uint8Array(16 - head.length - tail.length),
    Uint8Array.from(tail),
  );
}

/** The text of 16 bytes of an IPv6 address; a URL writes it as RFC 5952 does. */
function ipv6Text(bytes: Uint8Array): string {
  const groups = hex(bytes).match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Family, address and port. */
function writeSocket({ address, port }: Socket): Uint8Array {
  const bytes = address.includes(':')
    ? join(Uint8Array.of(6), ipv6Bytes(address))
    : Uint8Array.of(4, ...address.split('.').map(Number));
  return join(bytes, uint(2, port));
}

function takeSocket(cursor: Cursor): Socket {
  const family = cursor.uint(1);
  if (family === 4) {
    return { address: Array.from(cursor.take(4)).join('.'), port: cursor.uint(2) };
  }
  if (family !== 6) refuse('6.1', 'the family is neither 4 nor 6');
  const bytes = cursor.take(16);
  if (same(truncate(12, bytes), MAPPED_PREFIX)) refuse('6.1', 'IPv4 is mapped into IPv6');
  return { address: ipv6Text(bytes), port: cursor.uint(2) };
}

/** The header of an opening, 14 bytes. */
export const writeHeader = (
  suite: number,
  mode: number,
  sid: Uint8Array,
  openLen: number,
): Uint8Array => join(Uint8Array.of(1, suite, 0, mode), truncate(8, sid), uint(2, openLen));

/** The plaintext of an open block, padded. */
export function writeOpenBlock(block: OpenBlock): Uint8Array {
  const content = join(
    field(block.token),
    field(block.endorsement),
    writeSocket(block.destination),
    writeSocket(block.client),
    uint(8, block.sentMs),
    field(block.lineage),
  );
  const lenBytes = Math.ceil(content.length / STEP_BYTES) * STEP_BYTES;
  if (lenBytes > BLOCK_MAX_BYTES) refuse('6.1', 'the open block is too long');
  return join(content, new Uint8Array(lenBytes - content.length));
}

/** The content of a padded plaintext; what would not have been written so is refused. */
export function readOpenBlock(bytes: Uint8Array): OpenBlock {
  const cursor = new Cursor(bytes, '6.1');
  const block = {
    token: cursor.field(),
    endorsement: cursor.field(),
    destination: takeSocket(cursor),
    client: takeSocket(cursor),
    sentMs: cursor.uint(8),
    lineage: cursor.field(),
  };
  if (block.lineage.length !== 0 && block.lineage.length !== 32) {
    refuse('6.1', 'the lineage has another length');
  }
  return same(writeOpenBlock(block), bytes) ? block : refuse('6.1', 'the padding is another');
}

const socketOf = (given: Given): Socket => ({
  address: given.text('address'),
  port: given.number('port'),
});

/** The content of an open block as vectors give it. */
export const openBlockOf = (given: Given): OpenBlock => ({
  token: given.bytes('token'),
  endorsement: given.bytes('endorsement'),
  destination: socketOf(given.object('destination')),
  client: socketOf(given.object('client')),
  sentMs: given.number('sentMs'),
  lineage: given.bytes('lineage'),
});

/** The content of an open block as vectors expect it. */
export const openBlockJson = (block: OpenBlock): JsonObject => ({
  token: hex(block.token),
  endorsement: hex(block.endorsement),
  destination: { ...block.destination },
  client: { ...block.client },
  sentMs: block.sentMs,
  lineage: hex(block.lineage),
});

/** The rows of section 6.1, but for the whole opening. */
export const blockRows: Rows = {
  address: (given) => ({ bytes: hex(writeSocket(socketOf(given))) }),
  readAddress: (given) => {
    const cursor = new Cursor(given.bytes('bytes'), '6.1');
    const socket = takeSocket(cursor);
    return cursor.rest().length === 0 ? { ...socket } : refuse('6.1', 'bytes behind an address');
  },
  header: (given) => {
    const { sid } = endOf(given.object('source'));
    const suite = given.number('suite');
    return { header: hex(writeHeader(suite, given.number('mode'), sid, given.number('openLen'))) };
  },
  openBlock: (given) => ({ block: hex(writeOpenBlock(openBlockOf(given))) }),
  readOpenBlock: (given) => openBlockJson(readOpenBlock(given.bytes('block'))),
};
