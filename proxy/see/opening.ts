// The bytes that open a lane and the reply (PROTOCOL 6): layouts, sealing, and opening in stages so
// that a receiver does the cheapest first. Decides nothing: who may open a lane is inbound.ts.
import { Buffer } from 'node:buffer';
import { isChainId, type ChainId, type Sid, type Slot } from '#agent/base/brands.ts';
import { concat, field, fromHex, hex, truncate, u16, u64, type Bytes } from '#agent/base/bytes.ts';
import { decodeEndpoint, encodeEndpoint, type Endpoint } from './address.ts';
import { TAG_BYTES, open, seal } from './aead.ts';

export const KID_BYTES = 8;
export const SALT_BYTES = 16;
/** `version 1 | suite 1 | flags 1 | mode 1 | srcRef 8 | openLen 2`. */
const HEADER_BYTES = 14;
const OUTER_BYTES = HEADER_BYTES + TAG_BYTES;
/** kid, salt and outer: what must be there before anything can be judged. */
export const PREFIX_BYTES = KID_BYTES + SALT_BYTES + OUTER_BYTES;

const VERSION = 1;
/** Lanes of PROTOCOL 8: one TCP connection, HTTP requests, or an agent's few bytes there and back. */
export const MODE = { tunnel: 1, car: 2, canary: 3 } as const;
export type Mode = (typeof MODE)[keyof typeof MODE];

/** The open block is a multiple of this. */
const BLOCK_MULTIPLE = 64;
const MAX_BLOCK_BYTES = 4096;

export interface LaneHeader {
  /** Number of the AEAD (chips/registry.ts). */
  readonly suite: number;
  readonly mode: number;
  /** `T(8, src sid)` in hex. */
  readonly srcRef: string;
  /** Length of the sealed open block, tag included. */
  readonly openLen: number;
}

/** How a statement is hinted at in a header: the first 8 of its 16 bytes, in hex. */
export const srcRefOf = (sid: Sid): string => sid.slice(0, 16);

/** The header's plaintext, 14 bytes; flags are 0 in version 1. */
export const encodeHeader = (header: LaneHeader): Buffer =>
  concat(
    Uint8Array.of(VERSION, header.suite, 0, header.mode),
    fromHex(header.srcRef),
    u16(header.openLen),
  );

/** `outer`: the header sealed for all who hold the chain, 30 bytes; `salt` 16 bytes. */
export const sealHeader = (headerKey: Bytes, kid: Bytes, salt: Bytes, header: Bytes): Buffer =>
  seal('AES-256-GCM', headerKey, truncate(12, salt), concat(kid, salt), header);

/** The header of an opening, with its plaintext bytes for the transcript; undefined: not one. */
export function openHeader(
  headerKey: Bytes,
  prefix: Buffer,
): { readonly header: LaneHeader; readonly plain: Buffer } | undefined {
  const plain = open(
    'AES-256-GCM',
    headerKey,
    prefix.subarray(KID_BYTES, KID_BYTES + 12),
    prefix.subarray(0, KID_BYTES + SALT_BYTES),
    prefix.subarray(KID_BYTES + SALT_BYTES, PREFIX_BYTES),
  );
  if (plain === undefined || plain[0] !== VERSION || plain[2] !== 0) return undefined;
  const openLen = plain.readUInt16BE(12);
  const blockLen = openLen - TAG_BYTES;
  if (blockLen <= 0 || blockLen > MAX_BLOCK_BYTES || blockLen % BLOCK_MULTIPLE !== 0) {
    return undefined;
  }
  return {
    header: {
      suite: plain[1] ?? 0,
      mode: plain[3] ?? 0,
      srcRef: hex(plain.subarray(4, 12)),
      openLen,
    },
    plain,
  };
}

/** What the opener of a lane says about it, sealed for the receiving node alone. */
export interface OpenBlock {
  /** Encoded MAID token and endorsement (maid.ts). */
  readonly token: Bytes;
  readonly endorsement: Bytes;
  /** Where the application connected to. */
  readonly destination: Endpoint;
  /** The application's own end. */
  readonly client: Endpoint;
  /** Slot time of the sender, unix milliseconds. */
  readonly sentMs: number;
  /** Digest of the lineage that came with the request, 32 bytes, or empty. */
  readonly lineage: Bytes;
}

/** Plaintext of the open block, zero-padded to a multiple of 64. Errors: RangeError over 4096. */
export function encodeBlock(block: OpenBlock): Buffer {
  const content = concat(
    field(block.token),
    field(block.endorsement),
    encodeEndpoint(block.destination),
    encodeEndpoint(block.client),
    u64(block.sentMs),
    field(block.lineage),
  );
  const padded = Buffer.alloc(Math.ceil(content.length / BLOCK_MULTIPLE) * BLOCK_MULTIPLE);
  if (padded.length > MAX_BLOCK_BYTES)
    throw new RangeError(`open block of ${content.length} bytes`);
  padded.set(content);
  return padded;
}

/** Inverse of encodeBlock; undefined for anything it would not have written. */
export function decodeBlock(plain: Buffer): OpenBlock | undefined {
  let rest = plain;
  const takeField = (max: number): Buffer | undefined => {
    const length = rest.length >= 2 ? rest.readUInt16BE(0) : Number.NaN;
    if (!(length <= max && length + 2 <= rest.length)) return undefined;
    const value = rest.subarray(2, 2 + length);
    rest = rest.subarray(2 + length);
    return value;
  };
  const takeEndpoint = (): Endpoint | undefined => {
    const decoded = decodeEndpoint(rest);
    if (decoded) rest = rest.subarray(decoded.length);
    return decoded?.endpoint;
  };
  const token = takeField(MAX_BLOCK_BYTES);
  const endorsement = token && takeField(MAX_BLOCK_BYTES);
  const destination = endorsement && takeEndpoint();
  const client = destination && takeEndpoint();
  if (!client || rest.length < 8) return undefined;
  const sentMs = Number(rest.readBigUInt64BE(0));
  rest = rest.subarray(8);
  const lineage = takeField(32);
  if (!lineage || (lineage.length !== 0 && lineage.length !== 32)) return undefined;
  if (!Number.isSafeInteger(sentMs) || rest.length >= BLOCK_MULTIPLE) return undefined;
  if (!isZeroFrom(0, rest)) return undefined;
  return { token, endorsement, destination, client, sentMs, lineage };
}

const ZEROS = Buffer.alloc(BLOCK_MULTIPLE);
/** Whether all of at most BLOCK_MULTIPLE bytes are zero, but for the first `from`. */
const isZeroFrom = (from: number, bytes: Buffer): boolean =>
  bytes.compare(ZEROS, 0, bytes.length - from, from) === 0;

/** Why an authenticated opening is refused, as the opener is told. */
const DENIALS = {
  policy: 1,
  identity: 2,
  destination: 3,
  unreachable: 4,
  mode: 5,
  busy: 6,
  trust: 7,
} as const;
export type Denial = keyof typeof DENIALS;
const DENIAL_NAMES = new Map<number, Denial>(
  (Object.keys(DENIALS) as Denial[]).map((name) => [DENIALS[name], name]),
);

export interface Reply {
  /** Undefined: accepted. */
  readonly denied?: Denial | undefined;
  /** The newest chain that the replying end holds, with its check, so that the opener may use it. */
  readonly confirmed?: Confirmation | undefined;
}

export interface Confirmation {
  readonly chainId: ChainId;
  /** Slot of `check`. */
  readonly slot: Slot;
  /** presenceCheck (chips/chain.ts) by the replying end, 8 bytes. */
  readonly check: Bytes;
}

/** `code 1 | chainId 16 | slot 8 | check 8`, zero-filled to 48: one length whatever it says. */
const REPLY_PLAIN_BYTES = 48;
/** replySalt and sealed reply. */
export const REPLY_BYTES = SALT_BYTES + REPLY_PLAIN_BYTES + TAG_BYTES;

export function encodeReply(reply: Reply): Buffer {
  const plain = Buffer.alloc(REPLY_PLAIN_BYTES);
  plain[0] = reply.denied === undefined ? 0 : DENIALS[reply.denied];
  if (reply.confirmed) {
    plain.set(fromHex(reply.confirmed.chainId), 1);
    plain.set(u64(reply.confirmed.slot), 17);
    plain.set(reply.confirmed.check, 25);
  }
  return plain;
}

/** Inverse of encodeReply; undefined for what it would not have written. An unknown code denies. */
export function decodeReply(plain: Buffer): Reply | undefined {
  if (plain.length !== REPLY_PLAIN_BYTES || !isZeroFrom(33, plain)) return undefined;
  const code = plain[0] ?? 0;
  const chainId = hex(plain.subarray(1, 17));
  const slot = Number(plain.readBigUInt64BE(17));
  if (!isChainId(chainId) || !Number.isSafeInteger(slot)) return undefined;
  const none = isZeroFrom(1, plain);
  return {
    denied: code === 0 ? undefined : (DENIAL_NAMES.get(code) ?? 'policy'),
    confirmed: none ? undefined : { chainId, slot: slot as Slot, check: plain.subarray(25, 33) },
  };
}
