// The length mask (PROTOCOL 7): successive 3-byte pieces of an AES-256-CTR stream from counter 0.
// Made in growing blocks, so that a short lane pays for one small block and a long one for none.
import { createCipheriv, type Cipheriv } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';
import { LENGTH_BYTES } from './frames.ts';

const COUNTER_0 = Buffer.alloc(16);
const ZEROS = Buffer.alloc(LENGTH_BYTES * 1024);
const FIRST_BLOCK = LENGTH_BYTES * 16;

export class LengthMask {
  readonly #key: Bytes;
  #stream: Cipheriv | undefined;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** `key` is the `hp` key, 32 bytes, read at the first use. */
  constructor(key: Bytes) {
    this.#key = key;
  }

  /** XORs the next 3 bytes of the stream into `length`, which is its own inverse. */
  apply(length: Bytes): void {
    if (this.#at === this.#block.length) this.#refill();
    for (let i = 0; i < LENGTH_BYTES; i += 1) {
      length[i] = (length[i] ?? 0) ^ (this.#block[this.#at + i] ?? 0);
    }
    this.#at += LENGTH_BYTES;
  }

  #refill(): void {
    const first = this.#stream === undefined;
    this.#stream ??= createCipheriv('aes-256-ctr', this.#key, COUNTER_0);
    this.#block = this.#stream.update(first ? ZEROS.subarray(0, FIRST_BLOCK) : ZEROS);
    this.#at = 0;
  }
}
