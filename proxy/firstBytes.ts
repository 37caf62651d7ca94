// What a connection has sent before it showed that it is an opening: kept in memory of its own that grows
// by doubling, so that who sends byte by byte costs no more than who sends all at once.
import { Buffer } from 'node:buffer';

const FIRST_BYTES = 1024;

export class FirstBytes {
  #memory = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All of it; valid until the next append(). */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /** Copies `bytes` behind what there is, and returns all of it. */
  append(bytes: Buffer): Buffer {
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      const grown = Buffer.alloc(Math.max(FIRST_BYTES, 2 * this.#memory.length, length));
      this.bytes.copy(grown);
      this.#memory = grown;
    }
    bytes.copy(this.#memory, this.#length);
    this.#length = length;
    return this.bytes;
  }

  clear(): void {
    this.#memory = Buffer.alloc(0);
    this.#length = 0;
  }
}
