import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '#agent/base/clock.ts';
import type { RecordedPlane } from './planeRecord.ts';
import { identify } from './processIdentity.ts';
import { RETIRE_WITHIN_MS, retiredBefore } from './retirement.ts';

const NOW = 1_700_000_000_000;

/** Time that stands still: what is set for later waits here, with its delay. */
class WaitingClock implements Clock {
  waiting: { readonly ms: number; readonly callback: () => void }[] = [];
  wallMs = (): number => NOW;
  monoMs = (): number => 0;
  after(ms: number, callback: () => void): () => void {
    const entry = { ms, callback };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((each) => each !== entry);
    };
  }
  /** Calls back what waits for the longest. */
  passLongest(): void {
    const last = this.waiting.toSorted((a, b) => a.ms - b.ms).at(-1);
    this.waiting = this.waiting.filter((each) => each !== last);
    last?.callback();
  }
  /** Calls back all that waits. */
  passAll(): void {
    for (const { callback } of this.waiting.splice(0)) callback();
  }
}

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

function retiring(endBy: number): RecordedPlane {
  child = spawn('sleep', ['60']);
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new RangeError('it has ended');
  const settings = { workers: 2, uid: 15_008, gid: 15_008, build: 'test' };
  return { ...identity, program: '0:0', settings, replay: '0:1', counters: '0:2', endBy };
}

describe('retiredBefore()', () => {
  test.each([
    ['what is left of its time', NOW + 30_000, 30_000],
    ['nothing when that is over', NOW - 1, 0],
    ['no more than one that retires now, whatever the clock was', NOW + 1e9, RETIRE_WITHIN_MS],
  ])('retiredBefore() gives a process %s, then kills it', async (_what, endBy, withinMs) => {
    const clock = new WaitingClock();
    const log: unknown[] = [];
    const retired = retiredBefore(retiring(endBy), {
      clock,
      log: (_level, event, fields) => log.push([event, fields['withinMs']]),
    });
    expect(log).toEqual([['plane.retiring', withinMs]]);
    expect(Math.max(...clock.waiting.map(({ ms }) => ms))).toBe(withinMs + 2000);
    const exit = once(child ?? process, 'exit');
    clock.passLongest();
    expect(await exit).toEqual([null, 'SIGKILL']);
    clock.passAll();
    await retired.ended;
    expect(log.at(-1)).toEqual(['plane.retired', undefined]);
  });

  test('close() of it leaves less time, and waits until it has ended', async () => {
    const clock = new WaitingClock();
    const retired = retiredBefore(retiring(NOW + 80_000), { clock, log: () => undefined });
    const closed = retired.close(5000);
    expect(Math.max(...clock.waiting.map(({ ms }) => ms))).toBe(7000);
    const exit = once(child ?? process, 'exit');
    clock.passLongest();
    expect(await exit).toEqual([null, 'SIGKILL']);
    clock.passAll();
    await closed;
    expect(clock.waiting).toEqual([]);
  });
});
