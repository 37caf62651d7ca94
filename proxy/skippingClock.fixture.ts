// For tests: a clock that runs by itself and can be moved on, so that no test waits for a slot.
import type { Clock } from '#agent/base/clock.ts';

/** Real time plus what a test skips: timers that a skip passes fire at once. */
export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();

  wallMs = (): number => Date.now() + this.#skippedMs;
  monoMs = (): number => performance.now() + this.#skippedMs;

  after = (ms: number, callback: () => void): (() => void) => {
    const cancel = (): void => {
      clearTimeout(real);
      this.#timers.delete(timer);
    };
    const fire = (): void => {
      cancel();
      callback();
    };
    const timer = { atMs: this.monoMs() + ms, fire };
    const real = setTimeout(fire, ms);
    real.unref();
    this.#timers.add(timer);
    return cancel;
  };

  skip(ms: number): void {
    this.#skippedMs += ms;
    const nowMs = this.monoMs();
    for (const timer of this.#timers) if (timer.atMs <= nowMs) timer.fire();
  }
}
