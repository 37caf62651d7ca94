// How much memory the connections of a data plane hold for ends that are slow to read: each worker counts
// its own in a word that the others read, so that the sum has a bound whoever holds it. Nobody is cut for
// it: as it fills, each connection may hold less, and at last nothing is read for an end that waits.
/** How full it is: `half` and more of it is in use, or `all`. */
export type Pressure = 'none' | 'half' | 'all';
import { Buffer } from 'node:buffer';

/** More waiting for one end than this, and whoever feeds it stops reading. */
export const MAX_WAITING_BYTES: Readonly<Record<Pressure, number>> = {
  none: 512 << 10,
  half: 64 << 10,
  all: 0,
};
/**
 * Most that is read at once, all of which may have to wait. 240 KiB are four full frames: with one bulk takes a
 * third more CPU, with eight a fifth (decision 0008).
 */
export const MAX_READ_BYTES: Readonly<Record<Pressure, number>> = {
  none: 240 << 10,
  half: 64 << 10,
  all: 16 << 10,
};

const shared = Buffer.allocUnsafeSlow(MAX_READ_BYTES.none);
/** What a thread reads into, by pressure: one buffer of all its connections. */
export const READS: Readonly<Record<Pressure, Buffer>> = {
  none: shared,
  half: shared.subarray(0, MAX_READ_BYTES.half),
  all: shared.subarray(0, MAX_READ_BYTES.all),
};

/** What all workers of a data plane may hold: a quarter of what the DaemonSet gives an agent. */
const MAX_HELD_BYTES = 512 << 20;
/** A worker's own count may run ahead of its word by so much. */
const STEP_BYTES = 64 << 10;

/** Memory for the workers of one data plane. */
export const heldMemory = (workers: number): SharedArrayBuffer =>
  new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT);

/** A worker holds nothing: it is about to start, or has ended. */
export function clearHeld(memory: SharedArrayBuffer, worker: number): void {
  new Int32Array(memory)[worker] = 0;
}

export class HeldBytes {
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly #maxBytes: number;
  #own = 0;
  /** What the worker's word says. */
  #told = 0;
  #pressure: Pressure = 'none';

  /** Of one worker, which holds nothing yet. */
  constructor(memory = heldMemory(1), worker = 0, maxBytes = MAX_HELD_BYTES) {
    clearHeld(memory, worker);
    this.#words = new Int32Array(memory);
    this.#worker = worker;
    this.#maxBytes = maxBytes;
  }

  /** What this worker holds. */
  get own(): number {
    return this.#own;
  }

  /** Looked at anew whenever it is not `none`: it may be others that hold less again. */
  get pressure(): Pressure {
    if (this.#pressure !== 'none') this.#look();
    return this.#pressure;
  }

  /** So many bytes more, or fewer. */
  count(change: number): void {
    this.#own += change;
    const ahead = this.#own - this.#told;
    if (ahead >= STEP_BYTES || ahead <= -STEP_BYTES) this.#look();
  }

  #look(): void {
    this.#told = this.#own;
    this.#words[this.#worker] = this.#own;
    let all = 0;
    for (const held of this.#words) all += held;
    if (all >= this.#maxBytes) this.#pressure = 'all';
    else this.#pressure = 2 * all >= this.#maxBytes ? 'half' : 'none';
  }
}
