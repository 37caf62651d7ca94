import { expect, test } from 'vitest';
import type { Clock } from '#agent/base/clock.ts';
import { Patience } from './patience.ts';

const PERIOD_MS = 5_000;
const MAX_STALENESS_MS = 60_000;

/** Patience at the end of each of these silences, one slot after the other; milliseconds. */
function after(silences: readonly number[]): readonly boolean[] {
  let nowMs = 1;
  let silenceMs = 0;
  const clock: Clock = { wallMs: () => 0, monoMs: () => nowMs, after: () => () => undefined };
  const follower = {
    get silenceMs() {
      return silenceMs;
    },
  };
  const patience = new Patience({
    follower,
    clock,
    periodMs: PERIOD_MS,
    maxStalenessMs: MAX_STALENESS_MS,
  });
  return silences.map((ms) => {
    nowMs += PERIOD_MS;
    silenceMs = ms;
    const isOn = patience.look();
    expect(patience.isOn).toBe(isOn);
    return isOn;
  });
}

test('nobody is given time while records come, nor when one is late', () => {
  expect(after([0, PERIOD_MS, 3 * PERIOD_MS, 0])).toEqual([false, false, false, false]);
});

test('all are, while records are missing and for eight slots after that', () => {
  const outage = [4 * PERIOD_MS, 5 * PERIOD_MS];
  const back = Array<number>(9).fill(0);
  const expected = [true, true, ...Array<boolean>(7).fill(true), false, false];
  expect(after([...outage, ...back])).toEqual(expected);
});

test('none are when nothing came for longer than the owners allow, or never did', () => {
  expect(after([MAX_STALENESS_MS + 1])).toEqual([false]);
  expect(after([Infinity])).toEqual([false]);
});
