// Time as a parameter. Nothing in the product reads Date.now or sets a timer of its own accord in
// code that decides something; it is given a Clock.
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Wall-clock time, unix milliseconds. May step. */
  wallMs(): number;
  /** Monotonic milliseconds from an arbitrary origin. Never steps. */
  monoMs(): number;
  /** Calls back once after `ms`; the returned function cancels. Keeps no process alive. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A promise for `clock.after`, ended early by the signal. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
}
