// What the thread that feeds and the thread that watches it tell each other. Progress goes through
// shared memory, because a thread that hangs sends no messages.
import { MAX_FLOOD_BYTES } from './mutate.ts';

export interface Job {
  /** File URL of a module that exports TARGETS, and which of them. */
  readonly module: string;
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  /** One input instead of many: to see whether it fails again. */
  readonly only?: Uint8Array;
  readonly shared: SharedArrayBuffer;
}

export type Failure = 'throws' | 'hangs' | 'believes' | 'exhausts memory';

export interface Finding {
  readonly target: string;
  readonly failure: Failure;
  /** The error and where it came from, or what was believed. */
  readonly text: string;
  /** The smallest input found that still fails. */
  readonly input: Uint8Array;
}

export interface Tally {
  readonly inputs: number;
  /** Went through without an error. */
  readonly parsed: number;
  readonly refused: number;
  /** Samples at the end: those of the start and those that reached new code. */
  readonly kept: number;
  readonly slowestMs: number;
  readonly seconds: number;
  /** Most MiB of heap and buffers seen, over those before the first input. */
  readonly heapMib: number;
}

export type Message =
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'done'; readonly tally: Tally };

const HEADER_WORDS = 2;

/** The input that is being fed, where the watching thread can see it. */
export class Progress {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared, 0, HEADER_WORDS);
    this.#bytes = new Uint8Array(shared, HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT + MAX_FLOOD_BYTES);
  }

  /** Says that `input` is fed from now on. */
  begin(input: Uint8Array): void {
    this.#bytes.set(input);
    Atomics.store(this.#words, 1, input.length);
    Atomics.add(this.#words, 0, 1);
  }

  /** How many inputs were begun. */
  get begun(): number {
    return Atomics.load(this.#words, 0);
  }

  /** A copy of the last input begun. */
  get input(): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(0, Atomics.load(this.#words, 1)));
  }
}
