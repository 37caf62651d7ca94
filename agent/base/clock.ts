// Time as a parameter. Nothing in the product reads Date.now or sets a timer of its own accord in
// code that decides something; it is given a Clock.
import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';

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

/**
 * Milliseconds that this machine has spent suspended since it booted, to some 10 ms: what CLOCK_BOOTTIME counts and
 * CLOCK_MONOTONIC does not (clock_gettime(2)).
 */
export const machineAsleepMs = (): number => uptime() * 1000 - Number(hrtime.bigint()) / 1e6;

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
