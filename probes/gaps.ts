// When nothing was seen: from the last sign of the tracer before it fell silent to its first one after,
// and why. Who reads that no bypass was seen reads here since when, and with which holes.
import type { Clock } from '#agent/base/clock.ts';

/** A time in which nothing was seen, in unix milliseconds. */
export interface Gap {
  readonly from: number;
  /** Absent while it lasts. */
  readonly to?: number;
  readonly reason: string;
}

const MAX_GAPS = 20;

export class Gaps {
  readonly #clock: Clock;
  #over: Gap[] = [];
  #open: Gap | undefined;
  #seenMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing is seen any more, or not yet; a gap that lasts keeps its beginning. */
  opened(reason: string): void {
    const from = this.#open?.from ?? (this.#seenMs || this.#clock.wallMs());
    this.#open = { from, reason };
  }

  /** A sign of life. */
  seen(): void {
    this.#seenMs = this.#clock.wallMs();
    if (!this.#open) return;
    this.#over = [...this.#over, { ...this.#open, to: this.#seenMs }].slice(-MAX_GAPS);
    this.#open = undefined;
  }

  /** The last ones, oldest first. */
  all(): readonly Gap[] {
    return this.#open ? [...this.#over, this.#open] : [...this.#over];
  }
}
