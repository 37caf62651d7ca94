// The length mask (PROTOCOL 7): successive 3-byte pieces of an AES-256-CTR stream from counter 0.
// Made in growing blocks, so that a short lane pays for one small block and a long one for none.
import { Buffer } from 'node:buffer';
import type { Bytes } from '#agent/base/bytes.ts';
import { cipherOf, streamInto } from '#proxy/native/evp.ts';
import { LENGTH_BYTES } from './frames.ts';

const AES_256_CTR = cipherOf('AES-256-CTR');
const AES_BLOCK_BYTES = 16;
/** Both whole numbers of lengths and of AES blocks. */
const FIRST_BYTES = LENGTH_BYTES * 16;
const NEXT_BYTES = LENGTH_BYTES * 1024;
/** The initial counter block of a stream, all zero but the number of its first block. */
const counter = Buffer.alloc(AES_BLOCK_BYTES);
const NOTHING = Buffer.alloc(0);

export class LengthMask {
  readonly #key: Bytes;
  /** Of the stream, from AES block `#from` on. */
  #block: Buffer = NOTHING;
  #from = 0;
  #at = 0;

  /** `key` is the `hp` key, 32 bytes, read whenever more of the stream is needed. */
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
    this.#from += this.#block.length / AES_BLOCK_BYTES;
    this.#block = Buffer.allocUnsafe(this.#from === 0 && this.#at === 0 ? FIRST_BYTES : NEXT_BYTES);
    counter.writeUInt32BE(this.#from, AES_BLOCK_BYTES - 4);
    streamInto(this.#block, AES_256_CTR, this.#key, counter);
    this.#at = 0;
  }
}
