// Sealing one direction of a lane (PROTOCOL 6 and 7): frames, and the one message before them (open
// block or reply) that takes counter 0. Owns the frame keys of its secret and overwrites them.
import { Buffer } from 'node:buffer';
import { concat, wipe, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { sealInto } from '#proxy/native/evp.ts';
import { Nonces, TAG_BYTES, cipherFor, isStreaming, seal } from './aead.ts';
import {
  LENGTH_BYTES,
  MAX_FRAME_DATA,
  MAX_FRAME_LENGTH,
  MAX_KEY_BYTES,
  MAX_KEY_FRAMES,
  type FrameType,
} from './frames.ts';
import type { FrameKeys } from './keys.ts';
import { LengthMask } from './mask.ts';

/** Sealed frames, one after the other; whoever is given one reads it before the next is sealed. */
const shared = Buffer.allocUnsafeSlow(LENGTH_BYTES + MAX_FRAME_LENGTH);
const sharedPrefix = shared.subarray(0, LENGTH_BYTES);
const sharedBody = shared.subarray(LENGTH_BYTES);
/** The type of a frame that is not padded. */
const ONE = Buffer.alloc(1);

export class FrameSealer {
  readonly #aead: AeadName;
  readonly #keys: FrameKeys;
  readonly #nonces: Nonces;
  readonly #mask: LengthMask;
  #bytes = 0;

  constructor(aead: AeadName, keys: FrameKeys) {
    this.#aead = aead;
    this.#keys = keys;
    this.#nonces = new Nonces(keys.iv);
    this.#mask = new LengthMask(keys.hp);
  }

  /** True when only as much is left under this key as the KEYUPDATE itself and a last frame need. */
  get spent(): boolean {
    return this.#nonces.used >= MAX_KEY_FRAMES - 4 || this.#bytes >= MAX_KEY_BYTES - (4 << 20);
  }

  /** The open block or the reply: ciphertext and tag under the next counter. */
  message(aad: Bytes, plain: Bytes): Buffer {
    this.#bytes += plain.length;
    return seal(this.#aead, this.#keys.key, this.#nonces.next(), aad, plain);
  }

  /**
   * One frame, in memory that all sealers of the thread share: valid until the next frame of any.
   * Errors: RangeError over MAX_FRAME_DATA, or when the key is used up.
   */
  frame(type: FrameType, data: Bytes, padding = 0): Buffer {
    const length = data.length + 1 + padding + TAG_BYTES;
    if (data.length > MAX_FRAME_DATA || length > MAX_FRAME_LENGTH) {
      throw new RangeError(`frame of ${data.length} bytes`);
    }
    this.#bytes += length;
    if (this.#nonces.used >= MAX_KEY_FRAMES || this.#bytes > MAX_KEY_BYTES) {
      throw new RangeError('traffic key used up');
    }
    sharedPrefix.writeUIntBE(length, 0, LENGTH_BYTES);
    const tail = padding === 0 ? ONE : Buffer.alloc(1 + padding);
    tail[0] = type;
    const { key } = this.#keys;
    const nonce = this.#nonces.next();
    const cipher = cipherFor(this.#aead);
    if (isStreaming(this.#aead)) sealInto(sharedBody, cipher, key, nonce, sharedPrefix, data, tail);
    else sealInto(sharedBody, cipher, key, nonce, sharedPrefix, concat(data, tail));
    this.#mask.apply(sharedPrefix); // which was authenticated unmasked
    return shared.subarray(0, LENGTH_BYTES + length);
  }

  /** Overwrites the keys; nothing can be sealed after. */
  close(): void {
    wipe(this.#keys.key, this.#keys.iv, this.#keys.hp);
  }
}
