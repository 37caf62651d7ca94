// Random bytes in small pieces, drawn from the kernel's generator many at a time: one call for 256 salts
// instead of one each. Hands out no byte twice and keeps none that it has handed out.
import { Buffer } from 'node:buffer';
import { wipe } from '#agent/base/bytes.ts';

const POOL_BYTES = 4096;

export class RandomPool {
  readonly #fill: (bytes: Uint8Array) => void;
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #at = POOL_BYTES;

  /** `fill` overwrites all of what it is given with cryptographic randomness. */
  constructor(fill: (bytes: Uint8Array) => void) {
    this.#fill = fill;
  }

  /** `length` bytes of the caller's own. Errors: RangeError for more than a pool has. */
  take(length: number): Buffer {
    if (length > POOL_BYTES) throw new RangeError(`${length} random bytes at once`);
    if (this.#at + length > POOL_BYTES) {
      this.#fill(this.#pool);
      this.#at = 0;
    }
    const drawn = this.#pool.subarray(this.#at, this.#at + length);
    this.#at += length;
    const own = Buffer.from(drawn);
    wipe(drawn);
    return own;
  }
}
