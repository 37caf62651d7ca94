// Sealing one direction of a lane (PROTOCOL 6 and 7): frames, and the one message before them (open
// block or reply) that takes counter 0. Owns the frame keys of its secret and overwrites them.
import { concat, wipe, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { Nonces, TAG_BYTES, cipher, isStreaming, seal } from './aead.ts';
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

/** Up to here one copy is cheaper than three buffers in a vectored write. */
const SMALL = 8 << 10;

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
   * One frame as buffers to be written together; `data` is read before this returns and may be a
   * shared buffer. Errors: RangeError over MAX_FRAME_DATA, or when the key is used up.
   */
  frame(type: FrameType, data: Bytes, padding = 0): readonly Buffer[] {
    const length = data.length + 1 + padding + TAG_BYTES;
    if (data.length > MAX_FRAME_DATA || length > MAX_FRAME_LENGTH) {
      throw new RangeError(`frame of ${data.length} bytes`);
    }
    this.#bytes += length;
    if (this.#nonces.used >= MAX_KEY_FRAMES || this.#bytes > MAX_KEY_BYTES) {
      throw new RangeError('traffic key used up');
    }
    const prefix = Buffer.allocUnsafe(LENGTH_BYTES);
    prefix.writeUIntBE(length, 0, LENGTH_BYTES);
    const sealing = cipher(this.#aead, this.#keys.key, this.#nonces.next()).setAAD(prefix);
    this.#mask.apply(prefix); // setAAD has read it
    const tail = Buffer.alloc(1 + padding);
    tail[0] = type;
    if (data.length <= SMALL || !isStreaming(this.#aead)) {
      const body = sealing.update(concat(data, tail));
      sealing.final();
      return [concat(prefix, body, sealing.getAuthTag())];
    }
    const body = sealing.update(data);
    const end = sealing.update(tail);
    sealing.final();
    return [prefix, body, concat(end, sealing.getAuthTag())];
  }

  /** Overwrites the keys; nothing can be sealed after. */
  close(): void {
    wipe(this.#keys.key, this.#keys.iv, this.#keys.hp);
  }
}
