// PROTOCOL 7.1: frames under one key, their masked lengths, and the data of KEYUPDATE. The order of
// frames and the change of keys are of a lane: lanes.ts.
import { ctr } from '@noble/ciphers/aes.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Cursor, hex, join, uint, xor } from './bytes.ts';
import { refuse, Refused } from './refused.ts';
import { aeadOf, frameKeysOf, nonceOf, opened, type FrameKeys } from './secrets.ts';
import type { Given, JsonObject, Rows } from './vectors.ts';

/** A frame before it is sealed; `padding` is the number of zeros behind its type. */
export interface Frame {
  readonly type: number;
  readonly data: Uint8Array;
  readonly padding: number;
}

const TAG_BYTES = 16;
const LENGTH_BYTES = 3;
/** The type of an authenticated half-close. */
export const FIN = 2;
const TYPE_MAX = 7;
const LENGTH_MIN = TAG_BYTES + 1;
const LENGTH_MAX = 65 * 1024;

/** The mask of the length of a frame, by how many were before it under the key. */
const maskOf = (hp: Uint8Array, before: number): Uint8Array =>
  ctr(hp, new Uint8Array(16))
    .encrypt(new Uint8Array((before + 1) * LENGTH_BYTES))
    .slice(-LENGTH_BYTES);

/** Frames as sent, the first under counter `first`. */
export function sealFrames(
  suite: number,
  secret: Uint8Array,
  first: number,
  frames: readonly Frame[],
): readonly Uint8Array[] {
  const { key, iv, hp } = frameKeysOf(secret);
  return frames.map(({ type, data, padding }, at) => {
    const plain = join(data, Uint8Array.of(type), new Uint8Array(padding));
    const length = uint(LENGTH_BYTES, plain.length + TAG_BYTES);
    const sealed = aeadOf(suite, key, nonceOf(iv, first + at), length).encrypt(plain);
    return join(xor(length, maskOf(hp, at)), sealed);
  });
}

/** The frame in an opened plaintext: its type is the last byte that is not zero. */
function frameIn(plain: Uint8Array): Frame {
  const at = plain.findLastIndex((byte) => byte !== 0);
  const type = plain[at] ?? refuse('7.1', 'there is no type');
  if (type > TYPE_MAX) refuse('7.1', 'an unknown type');
  if (type === FIN && at > 0) refuse('7.1', 'a FIN with data');
  return { type, data: plain.slice(0, at), padding: plain.length - at - 1 };
}

/** Opens the frames of a stream of bytes one by one, under the key that was set last. */
export class FrameReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #suite = 0;
  #keys: FrameKeys | undefined;
  #first = 0;
  #opened = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** From here on frames are of this suite and secret, the next one under counter `first`. */
  rekey(suite: number, secret: Uint8Array, first: number): void {
    this.#suite = suite;
    this.#keys = frameKeysOf(secret);
    this.#first = first;
    this.#opened = 0;
  }

  /** Whether no byte is left. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next frame, or undefined if it is not whole; one that ends the lane is refused. */
  next(): Frame | undefined {
    const start = this.#at + LENGTH_BYTES;
    if (this.#keys === undefined || start > this.#bytes.length) return undefined;
    const { key, iv, hp } = this.#keys;
    const length = xor(this.#bytes.slice(this.#at, start), maskOf(hp, this.#opened));
    const lenBytes = new Cursor(length, '7.1').uint(LENGTH_BYTES);
    if (lenBytes < LENGTH_MIN || lenBytes > LENGTH_MAX) refuse('7.1', 'the length');
    if (start + lenBytes > this.#bytes.length) return undefined;
    const aead = aeadOf(this.#suite, key, nonceOf(iv, this.#first + this.#opened), length);
    this.#at = start + lenBytes;
    this.#opened += 1;
    return frameIn(opened('7.1', aead, this.#bytes.slice(start, this.#at)));
  }
}

/** Every frame that is whole in `bytes`, the first under counter `first`; throws Refused, with the frames
 * before, at one that ends the lane. */
function readFrames(given: Given): JsonObject {
  const reader = new FrameReader(given.bytes('bytes'));
  reader.rekey(given.number('suite'), given.bytes('secret'), given.number('first'));
  const frames: JsonObject[] = [];
  try {
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      frames.push(frameJson(frame));
    }
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause;
    throw new Refused(cause.section, cause.message, { frames });
  }
  return { frames };
}

/** A delivered frame as vectors expect it. */
export const frameJson = ({ type, data }: Frame): JsonObject => ({ type, data: hex(data) });

/** The frames that an object gives under `frames`. */
export const framesOf = (given: Given): readonly Frame[] =>
  given.objects('frames').map((frame) => ({
    type: frame.number('type'),
    data: frame.bytes('data'),
    padding: frame.number('padding'),
  }));

/** The frames that an object gives, as sent. */
export const sealedOf = (given: Given): readonly Uint8Array[] =>
  sealFrames(given.number('suite'), given.bytes('secret'), given.number('first'), framesOf(given));

const RESET_BYTES = 2;
const RESET_MAX = 6;

/** The code in the data of a RESET, 0 for other. */
function resetCode(data: Uint8Array): number {
  const code = data.length === RESET_BYTES ? new Cursor(data, '7.1').uint(RESET_BYTES) : 0;
  return code > RESET_MAX ? 0 : code;
}

const KEYUPDATE_BYTES = 57;

/** The data of a KEYUPDATE; kind 0 names nothing. */
const keyUpdateOf = (given: Given): Uint8Array =>
  given.number('kind') === 0
    ? new Uint8Array(KEYUPDATE_BYTES)
    : join(
        uint(1, given.number('kind')),
        given.bytes('chainId'),
        uint(8, given.number('slot')),
        given.bytes('ownSid'),
        given.bytes('peerSid'),
      );

/** What a KEYUPDATE of kind 1 names, but for the slot in hex. */
export interface KeyUpdate {
  readonly chainId: string;
  readonly slot: number;
  readonly ownSid: string;
  readonly peerSid: string;
}

/** What the data of a KEYUPDATE name, or undefined for kind 0. */
export function readKeyUpdate(data: Uint8Array): KeyUpdate | undefined {
  const cursor = new Cursor(data, '7.1');
  const kind = cursor.uint(1);
  const named = {
    chainId: hex(cursor.take(16)),
    slot: cursor.uint(8),
    ownSid: hex(cursor.take(16)),
    peerSid: hex(cursor.take(16)),
  };
  if (kind > 1) refuse('7.1', 'an unknown kind');
  if (cursor.rest().length > 0) refuse('7.1', 'bytes behind a key update');
  if (kind === 1) return named;
  return data.every((byte) => byte === 0) ? undefined : refuse('7.1', 'kind 0 names something');
}

/** The rows of section 7.1. */
export const frameRows: Rows = {
  mask: (given) => {
    const hp = given.bytes('hp');
    return {
      masks: Array.from({ length: given.number('frames') }, (_, at) => hex(maskOf(hp, at))),
    };
  },
  frames: (given) => ({ frames: sealedOf(given).map(hex) }),
  frameDigests: (given) => ({ digests: sealedOf(given).map((frame) => hex(sha256(frame))) }),
  readFrames,
  readReset: (given) => ({ code: resetCode(given.bytes('data')) }),
  keyUpdate: (given) => ({ data: hex(keyUpdateOf(given)) }),
  readKeyUpdate: (given) => {
    const named = readKeyUpdate(given.bytes('data'));
    return named === undefined ? { kind: 0 } : { kind: 1, ...named };
  },
};
