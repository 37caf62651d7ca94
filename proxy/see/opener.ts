// Opening one direction of a lane (PROTOCOL 6 and 7), whatever pieces TCP delivers. Data of a frame
// leave only after its tag; nothing a stranger sends makes it throw. Overwrites the keys it is given.
import { Buffer } from 'node:buffer';
import { wipe, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { openInto } from '#proxy/native/evp.ts';
import { Nonces, cipherFor, open } from './aead.ts';
import {
  FRAME,
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

/** A frame whose tag was right; `data` are valid until the one it is handed to returns. */
export interface Frame {
  readonly type: FrameType;
  readonly data: Buffer;
}

/** Why a lane cannot be read on: a wrong tag, a length, a type that is unknown or a FIN with data, a key used up. */
export type FrameFailure = 'forged' | 'length' | 'type' | 'key-used-up';

/** Plaintext of one frame at a time. */
const shared = Buffer.allocUnsafeSlow(MAX_FRAME_LENGTH);
/** Memory for frames that come in pieces, when nobody needs it; a few serve most lanes. */
const spare: Buffer[] = [];
const MAX_SPARE = 8;
/** Less than this comes from Node's pool. */
const SMALL_BYTES = 2048;

export class FrameOpener {
  #aead: AeadName;
  #keys: FrameKeys;
  #nonces: Nonces;
  #mask: LengthMask;
  #bytes = 0;
  /** The masked length of the frame being read, then the length itself. */
  readonly #prefix = Buffer.allocUnsafe(LENGTH_BYTES);
  #prefixFill = 0;
  /** What follows the prefix of the frame being read; undefined: the prefix is not complete. */
  #length: number | undefined;
  /** The beginning of a frame that came in more than one piece. */
  #held: Buffer | undefined;
  #heldFill = 0;
  #stopped = false;
  #unread = 0;

  constructor(aead: AeadName, keys: FrameKeys) {
    this.#aead = aead;
    this.#keys = keys;
    this.#nonces = new Nonces(keys.iv);
    this.#mask = new LengthMask(keys.hp);
  }

  /** How many bytes at the end of the last chunk were not looked at, because stop() was called. */
  get unread(): number {
    return this.#unread;
  }

  /** True between two frames: a TCP end here cuts none in half. */
  get atBoundary(): boolean {
    return this.#prefixFill === 0;
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
      if (this.#length === undefined) {
        rest = this.#takePrefix(rest);
        if (this.#prefixFill < LENGTH_BYTES) return undefined;
        const refused = this.#begin();
        if (refused) return this.#fail(refused);
      }
      const length = this.#length ?? 0;
      const sealed = this.#whole(rest, length);
      if (!sealed) return undefined;
      rest = rest.subarray(length - this.#heldFill);
      const frame = this.#open(sealed);
      if (typeof frame === 'string') return this.#fail(frame);
      onFrame(frame);
    }
    this.#unread = rest.length;
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
    this.#letGo();
    wipe(this.#keys.key, this.#keys.iv, this.#keys.hp);
  }

  #fail(failure: FrameFailure): FrameFailure {
    this.close();
    return failure;
  }

  #letGo(): void {
    if (this.#held && this.#held.length > SMALL_BYTES && spare.length < MAX_SPARE) {
      spare.push(this.#held);
    }
    this.#held = undefined;
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
    this.#length = length;
    this.#heldFill = 0;
    return undefined;
  }

  /** The frame of `length` bytes at the start of `rest`, after what is held; undefined: not all of it. */
  #whole(rest: Bytes, length: number): Bytes | undefined {
    if (!this.#held) {
      if (rest.length >= length) return rest.subarray(0, length);
      this.#held =
        length <= SMALL_BYTES
          ? Buffer.allocUnsafe(length)
          : (spare.pop() ?? Buffer.allocUnsafeSlow(MAX_FRAME_LENGTH));
    }
    const missing = length - this.#heldFill;
    this.#held.set(rest.length > missing ? rest.subarray(0, missing) : rest, this.#heldFill);
    if (rest.length >= missing) return this.#held.subarray(0, length);
    this.#heldFill += rest.length;
    return undefined;
  }

  #open(sealed: Bytes): Frame | FrameFailure {
    this.#length = undefined;
    this.#prefixFill = 0;
    const { key } = this.#keys;
    const nonce = this.#nonces.next();
    const length = openInto(shared, cipherFor(this.#aead), key, nonce, this.#prefix, sealed);
    this.#letGo();
    if (length === undefined) return 'forged';
    const end = endOf(shared, length);
    const type = shared[end] ?? 0;
    if (!isFrameType(type) || (type === FRAME.fin && end > 0)) return 'type';
    return { type, data: shared.subarray(0, end) };
  }
}

/** Where the type is: the last byte that is not padding (RFC 8446 5.4); 0 at the start: there is none. */
function endOf(plain: Bytes, length: number): number {
  let end = length - 1;
  while (end > 0 && plain[end] === 0) end -= 1;
  return end;
}
