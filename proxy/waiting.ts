// What a connection has to pass on and cannot yet, in order, in memory of its own that is counted. Small
// pieces are joined as they come, so that who writes byte by byte makes no more work and takes no more
// memory than who writes all at once. Writes to no socket.
import { Buffer } from 'node:buffer';
import type { HeldBytes } from './heldBytes.ts';

/** Pieces are joined up to here: a copy is cheaper than a system call. Two neighbours are longer together. */
const JOIN_BYTES = 32 << 10;
/** What lasts begins with so much: it may be added to for long. */
const FIRST_BYTES = 1024;

const NOTHING = Buffer.alloc(0);
const NONE: Buffer[] = [];

export class Waiting {
  readonly #held: HeldBytes;
  /** Nothing is added to these. */
  #whole: Buffer[] = NONE;
  /** The last piece, whose memory may have room at its end. */
  #tail = NOTHING;
  #tailBytes = 0;
  /** How much of the first piece is gone. */
  #gone = 0;
  #bytes = 0;
  /** It outlasts the turn: small pieces have memory of their own, instead of keeping a pool of Node's alive. */
  #isLasting = false;

  constructor(held: HeldBytes) {
    this.#held = held;
  }

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first of those that wait, at least one where any do; valid until the next call. */
  get first(): Buffer {
    const whole = this.#whole[0];
    if (whole) return this.#gone === 0 ? whole : whole.subarray(this.#gone);
    if (this.#gone === 0 && this.#tailBytes === this.#tail.length) return this.#tail;
    return this.#tail.subarray(this.#gone, this.#tailBytes);
  }

  /** Copies `bytes` behind the others. */
  push(bytes: Buffer): void {
    let rest = bytes;
    const joinedBytes = this.#tailBytes + bytes.length;
    if (joinedBytes > this.#tail.length) {
      if (this.#tailBytes === 0) this.#begin(bytes.length);
      else if (joinedBytes <= JOIN_BYTES) this.#widen(Math.min(JOIN_BYTES, 2 * joinedBytes));
      else {
        rest = bytes.subarray(bytes.copy(this.#tail, this.#tailBytes));
        if (this.#whole === NONE) this.#whole = [this.#tail];
        else this.#whole.push(this.#tail);
        this.#begin(rest.length);
      }
    }
    rest.copy(this.#tail, this.#tailBytes);
    this.#tailBytes += rest.length;
    this.#bytes += bytes.length;
  }

  /** The first `length` bytes are gone, all of them of `first`. */
  drop(length: number): void {
    this.#gone += length;
    this.#bytes -= length;
    if (this.#bytes === 0) this.clear();
    else if (this.#gone === this.#whole[0]?.length) {
      this.#held.count(-this.#gone);
      this.#gone = 0;
      this.#whole.shift(); // few: two of them are longer than JOIN_BYTES
    }
  }

  /** Hands on all of it, piece by piece, each valid until `take` returns. */
  drain(take: (bytes: Buffer) => void): void {
    while (this.#bytes > 0) {
      const { first } = this;
      this.drop(first.length);
      take(first);
    }
  }

  /** It waits for longer than a turn: until all is gone, it keeps nothing alive but itself. */
  outlast(): void {
    if (this.#isLasting) return;
    this.#isLasting = true;
    for (const [at, piece] of this.#whole.entries()) this.#whole[at] = ownCopy(piece);
    if (this.#tail.length > 0 && isPooled(this.#tail)) {
      this.#widen(Math.max(FIRST_BYTES, this.#tail.length));
    }
  }

  /** Gives up what waits. */
  clear(): void {
    for (const piece of this.#whole) this.#held.count(-piece.length);
    this.#held.count(-this.#tail.length);
    this.#whole = NONE;
    this.#tail = NOTHING;
    this.#tailBytes = 0;
    this.#gone = 0;
    this.#bytes = 0;
    this.#isLasting = false;
  }

  /** A piece for `length` bytes. */
  #begin(length: number): void {
    this.#tail = this.#isLasting
      ? Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length))
      : Buffer.allocUnsafe(length);
    this.#tailBytes = 0;
    this.#held.count(this.#tail.length);
  }

  /** Moves the tail to memory of `length` bytes. */
  #widen(length: number): void {
    const wide = this.#isLasting ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length);
    this.#tail.copy(wide, 0, 0, this.#tailBytes);
    this.#held.count(length - this.#tail.length);
    this.#tail = wide;
  }
}

const isPooled = ({ buffer, length }: Buffer): boolean => buffer.byteLength !== length;

function ownCopy(piece: Buffer): Buffer {
  if (!isPooled(piece)) return piece;
  const own = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(own);
  return own;
}
