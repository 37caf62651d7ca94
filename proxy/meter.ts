// A rate with a ceiling: how much may pass in one second of the monotonic clock.
import type { Clock } from '#agent/base/clock.ts';

const WINDOW_MS = 1000;

export class Meter {
  readonly #perSecond: number;
  readonly #clock: Pick<Clock, 'monoMs'>;
  #windowStartMs = -Infinity;
  #taken = 0;

  constructor(perSecond: number, clock: Pick<Clock, 'monoMs'>) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Whether `amount` more may pass in this second; if not, nothing is taken. */
  take(amount = 1): boolean {
    const nowMs = this.#clock.monoMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#taken = 0;
    }
    if (this.#taken + amount > this.#perSecond) return false;
    this.#taken += amount;
    return true;
  }
}
