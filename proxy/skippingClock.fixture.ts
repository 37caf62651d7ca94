// For tests: a clock that runs by itself and can be moved on, so that no test waits for a slot.
import { performance } from 'node:perf_hooks';
import type { Clock } from '#agent/base/clock.ts';

/**
 * Real time plus what a test skips: timers that a skip passes fire at once. With `onlySkips` time stands still but
 * for skips, however long the test itself takes, and no timer fires by itself: a test which never skips shows what
 * happens without any.
 */
export class SkippingClock implements Clock {
  readonly #onlySkips: boolean;
  readonly #from = { wallMs: Date.now(), monoMs: performance.now() };
  #skippedMs = 0;
  readonly #timers = new Set<{
    readonly ms: number;
    readonly atMs: number;
    readonly fire: () => void;
  }>();

  constructor(onlySkips = false) {
    this.#onlySkips = onlySkips;
  }

  wallMs = (): number => (this.#onlySkips ? this.#from.wallMs : Date.now()) + this.#skippedMs;
  monoMs = (): number =>
    (this.#onlySkips ? this.#from.monoMs : performance.now()) + this.#skippedMs;

  after = (ms: number, callback: () => void): (() => void) => {
    const cancel = (): void => {
      clearTimeout(real);
      this.#timers.delete(timer);
    };
    const fire = (): void => {
      cancel();
      callback();
    };
    const timer = { ms, atMs: this.monoMs() + ms, fire };
    const real = this.#onlySkips ? undefined : setTimeout(fire, ms).unref();
    this.#timers.add(timer);
    return cancel;
  };

  /** How many timers of `ms` are set. */
  waiting(ms: number): number {
    return [...this.#timers].filter((timer) => timer.ms === ms).length;
  }

  skip(ms: number): void {
    this.#skippedMs += ms;
    const nowMs = this.monoMs();
    for (const timer of this.#timers) if (timer.atMs <= nowMs) timer.fire();
  }
}
