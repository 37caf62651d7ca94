// sleep() on a clock that the test moves.
import { describe, expect, it } from 'vitest';
import { sleep, systemClock, type Clock } from './clock.ts';

/** A clock whose timers fire when the test says so. */
function handClock(): Clock & { fire(): void; readonly pending: number } {
  const timers = new Set<() => void>();
  return {
    wallMs: () => 0,
    monoMs: () => 0,
    after: (_ms, callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    fire: () => {
      for (const callback of timers) callback();
    },
    get pending() {
      return timers.size;
    },
  };
}

describe('sleep()', () => {
  it('sleep() ends when its time has come and leaves no timer', async () => {
    const clock = handClock();
    const slept = sleep(clock, 1000);
    expect(clock.pending).toBe(1);
    clock.fire();
    await slept;
    expect(clock.pending).toBe(0);
  });

  it('sleep() ends early with the signal and leaves no timer', async () => {
    const clock = handClock();
    const abort = new AbortController();
    const slept = sleep(clock, 1000, abort.signal);
    abort.abort();
    await slept;
    expect(clock.pending).toBe(0);
  });

  it('sleep() does not begin when the signal has already been given', async () => {
    const clock = handClock();
    await sleep(clock, 1000, AbortSignal.abort());
    expect(clock.pending).toBe(0);
  });
});

describe('systemClock', () => {
  it('after() can be cancelled', async () => {
    let fired = false;
    const cancel = systemClock.after(0, () => (fired = true));
    cancel();
    await new Promise((resolve) => setTimeout(resolve, 5)); // a later timer: ours would have fired
    expect(fired).toBe(false);
  });

  it('monoMs() never goes back', () => {
    const first = systemClock.monoMs();
    expect(systemClock.monoMs()).toBeGreaterThanOrEqual(first);
  });
});
