// What a frame is (PROTOCOL 7): types, limits, and the bodies of KEYUPDATE and RESET. Sealing and
// opening are sealer.ts and opener.ts.
import { Buffer } from 'node:buffer';
import { isChainId, isSid, type ChainId, type Sid, type Slot } from '#agent/base/brands.ts';
import { concat, fromHex, hex, u16, u64, type Bytes } from '#agent/base/bytes.ts';
import { TAG_BYTES } from './aead.ts';

/** Never 0: the type is found as the last byte that is not padding (RFC 8446 5.2). */
export const FRAME = {
  data: 1,
  fin: 2,
  reset: 3,
  keyUpdate: 4,
  car: 5,
  pad: 6,
  ping: 7,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];
const TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));
export const isFrameType = (n: number): n is FrameType => TYPES.has(n);

/** Most application bytes in one frame: larger ones only make the receiver wait for their tag. */
export const MAX_FRAME_DATA = 64 << 10;
/**
 * What this sender puts into one: with it a frame is what the kernel passes on as one buffer, whole segments of
 * at most 64 KiB together, whether links carry 1,400 bytes or 9,000 (docs/decisions/0018).
 */
export const FULL_FRAME_DATA = 60 << 10;
/** Largest `length`: data, type, padding and tag. A longer one ends the lane unread. */
export const MAX_FRAME_LENGTH = MAX_FRAME_DATA + (1 << 10);
/** Smallest `length`: a type and a tag. */
export const MIN_FRAME_LENGTH = 1 + TAG_BYTES;
export const LENGTH_BYTES = 3;

/** A key is replaced before it has sealed this many frames or bytes. */
export const MAX_KEY_FRAMES = 2 ** 24;
export const MAX_KEY_BYTES = 2 ** 38;

/** Body of a KEYUPDATE; kind 0 carries nothing more and is zero-filled to the same size. */
export type KeyUpdate =
  | { readonly kind: 0 }
  | {
      readonly kind: 1;
      readonly chainId: ChainId;
      readonly slot: Slot;
      /** Statement of the frame's sender. */
      readonly ownSid: Sid;
      /** Statement of its receiver. */
      readonly peerSid: Sid;
    };

/** `kind 1 | chainId 16 | slot 8 | ownSid 16 | peerSid 16`. */
const KEY_UPDATE_BYTES = 57;
const KIND_0 = Buffer.alloc(KEY_UPDATE_BYTES);

export const encodeKeyUpdate = (update: KeyUpdate): Buffer =>
  update.kind === 0
    ? KIND_0
    : concat(
        Uint8Array.of(1),
        fromHex(update.chainId),
        u64(update.slot),
        fromHex(update.ownSid),
        fromHex(update.peerSid),
      );

/** Inverse of encodeKeyUpdate; undefined for anything else. */
export function decodeKeyUpdate(body: Buffer): KeyUpdate | undefined {
  if (body.length !== KEY_UPDATE_BYTES) return undefined;
  if (body[0] === 0) return body.equals(KIND_0) ? { kind: 0 } : undefined;
  const slot = Number(body.readBigUInt64BE(17));
  const [chainId, ownSid, peerSid] = [
    hex(body.subarray(1, 17)),
    hex(body.subarray(25, 41)),
    hex(body.subarray(41)),
  ];
  if (body[0] !== 1 || !Number.isSafeInteger(slot)) return undefined;
  if (!isChainId(chainId) || !isSid(ownSid) || !isSid(peerSid)) return undefined;
  return { kind: 1, chainId, slot: slot as Slot, ownSid, peerSid };
}

/** Why an end aborts a lane; what is not listed is read as `other`. */
const RESETS = {
  other: 0,
  /** The application's own connection was reset. */
  application: 1,
  /** The policy no longer allows the connection. */
  policy: 2,
  /** A node at one end is no longer trusted. */
  trust: 3,
  /** The other end broke the protocol. */
  protocol: 4,
  /** A key could not be replaced in time. */
  keys: 5,
  /** The agent ends. */
  shutdown: 6,
} as const;
export type ResetCode = keyof typeof RESETS;
const RESET_NAMES = new Map<number, ResetCode>(
  (Object.keys(RESETS) as ResetCode[]).map((name) => [RESETS[name], name]),
);

/** Body of a RESET: the code, 2 bytes. */
export const encodeReset = (code: ResetCode): Buffer => u16(RESETS[code]);

export const decodeReset = (body: Bytes): ResetCode => {
  const code = body.length === 2 ? ((body[0] ?? 0) << 8) | (body[1] ?? 0) : 0;
  return RESET_NAMES.get(code) ?? 'other';
};
