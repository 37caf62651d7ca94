// Opening one direction of a lane (PROTOCOL 6 and 7), whatever pieces TCP delivers. Data of a frame
// leave only after its tag; nothing a stranger sends makes it throw. Overwrites the keys it is given.
import type { DecipherGCM } from 'node:crypto';
import { wipe, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { Nonces, TAG_BYTES, decipher, isStreaming, open } from './aead.ts';
import {
  LENGTH_BYTES,
  MAX_FRAME_LENGTH,
  MAX_KEY_BYTES,
  MAX_KEY_FRAMES,
  MIN_FRAME_LENGTH,
  isFrameType,
  type FrameType,
} from './frames.ts';
import type { FrameKeys } from './keys.ts';
import { LengthMask } from './mask.ts';

/** A frame whose tag was right; the pieces are the receiver's own memory. */
export interface Frame {
  readonly type: FrameType;
  readonly pieces: readonly Buffer[];
}

/** Why a lane cannot be read on: a wrong tag, a length, an unknown type, a key used up. */
export type FrameFailure = 'forged' | 'length' | 'type' | 'key-used-up';

/** The frame being read. */
interface Pending {
  readonly decipher: DecipherGCM;
  /** Opened so far, not yet authenticated; ciphertext where the AEAD cannot stream. */
  readonly pieces: Buffer[];
  bodyLeft: number;
}

export class FrameOpener {
  #aead: AeadName;
  #keys: FrameKeys;
  #nonces: Nonces;
  #mask: LengthMask;
  #bytes = 0;
  readonly #prefix = Buffer.alloc(LENGTH_BYTES);
  #prefixFill = 0;
  #pending: Pending | undefined;
  readonly #tag = Buffer.alloc(TAG_BYTES);
  #tagFill = 0;
  #stopped = false;

  constructor(aead: AeadName, keys: FrameKeys) {
    this.#aead = aead;
    this.#keys = keys;
    this.#nonces = new Nonces(keys.iv);
    this.#mask = new LengthMask(keys.hp);
  }

  /** True between two frames: a TCP end here cuts none in half. */
  get atBoundary(): boolean {
    return this.#pending === undefined && this.#prefixFill === 0;
  }

  /** The open block or the reply under the next counter; undefined when its tag is wrong. */
  message(aad: Bytes, sealed: Bytes): Buffer | undefined {
    this.#bytes += sealed.length;
    return open(this.#aead, this.#keys.key, this.#nonces.next(), aad, sealed);
  }

  /**
   * Reads `chunk`, which it does not keep, and hands on each frame that is complete and authentic;
   * `onFrame` may call rekey() or stop(). The first failure is final.
   */
  push(chunk: Bytes, onFrame: (frame: Frame) => void): FrameFailure | undefined {
    let rest = chunk;
    while (rest.length > 0 && !this.#stopped) {
      if (this.#pending === undefined) {
        rest = this.#takePrefix(rest);
        if (this.#prefixFill < LENGTH_BYTES) return undefined;
        const refused = this.#begin();
        if (refused) return this.#fail(refused);
        continue;
      }
      if (this.#pending.bodyLeft > 0) {
        rest = this.#takeBody(this.#pending, rest);
        continue;
      }
      const take = rest.subarray(0, TAG_BYTES - this.#tagFill);
      this.#tag.set(take, this.#tagFill);
      this.#tagFill += take.length;
      rest = rest.subarray(take.length);
      if (this.#tagFill < TAG_BYTES) return undefined;
      const frame = this.#finish(this.#pending);
      if (typeof frame === 'string') return this.#fail(frame);
      onFrame(frame);
    }
    return undefined;
  }

  /** Reads on under another secret, from counter 0; overwrites the keys before. */
  rekey(aead: AeadName, keys: FrameKeys): void {
    this.close();
    this.#aead = aead;
    this.#keys = keys;
    this.#nonces = new Nonces(keys.iv);
    this.#mask = new LengthMask(keys.hp);
    this.#bytes = 0;
    this.#stopped = false;
  }

  /** Ignores whatever follows. */
  stop(): void {
    this.#stopped = true;
  }

  /** Stops and overwrites the keys. */
  close(): void {
    this.#stopped = true;
    wipe(this.#keys.key, this.#keys.iv, this.#keys.hp);
  }

  #fail(failure: FrameFailure): FrameFailure {
    this.close();
    this.#pending = undefined;
    return failure;
  }

  #takePrefix(chunk: Bytes): Bytes {
    const take = chunk.subarray(0, LENGTH_BYTES - this.#prefixFill);
    this.#prefix.set(take, this.#prefixFill);
    this.#prefixFill += take.length;
    return chunk.subarray(take.length);
  }

  #begin(): FrameFailure | undefined {
    this.#mask.apply(this.#prefix);
    const length = this.#prefix.readUIntBE(0, LENGTH_BYTES);
    if (length < MIN_FRAME_LENGTH || length > MAX_FRAME_LENGTH) return 'length';
    this.#bytes += length;
    if (this.#nonces.used >= MAX_KEY_FRAMES || this.#bytes > MAX_KEY_BYTES) return 'key-used-up';
    this.#pending = {
      decipher: decipher(this.#aead, this.#keys.key, this.#nonces.next()).setAAD(this.#prefix),
      pieces: [],
      bodyLeft: length - TAG_BYTES,
    };
    this.#tagFill = 0;
    return undefined;
  }

  #takeBody(pending: Pending, chunk: Bytes): Bytes {
    const take = chunk.subarray(0, pending.bodyLeft);
    pending.bodyLeft -= take.length;
    pending.pieces.push(
      isStreaming(this.#aead) ? pending.decipher.update(take) : Buffer.from(take),
    );
    return chunk.subarray(take.length);
  }

  #finish(pending: Pending): Frame | FrameFailure {
    this.#pending = undefined;
    this.#prefixFill = 0;
    let pieces = pending.pieces;
    try {
      pending.decipher.setAuthTag(this.#tag);
      if (!isStreaming(this.#aead)) pieces = [pending.decipher.update(Buffer.concat(pieces))];
      pending.decipher.final();
    } catch {
      return 'forged'; // a wrong tag; node:crypto has no other way to say so
    }
    const type = cutPadding(pieces);
    return type !== undefined && isFrameType(type) ? { type, pieces } : 'type';
  }
}

/** Takes padding and type off the end (RFC 8446 5.4) and returns the type; undefined: no type. */
function cutPadding(pieces: Buffer[]): number | undefined {
  for (let last = pieces.pop(); last !== undefined; last = pieces.pop()) {
    let end = last.length;
    while (end > 0 && last[end - 1] === 0) end -= 1;
    const type = last[end - 1];
    if (type === undefined) continue;
    if (end > 1) pieces.push(last.subarray(0, end - 1));
    return type;
  }
  return undefined;
}
