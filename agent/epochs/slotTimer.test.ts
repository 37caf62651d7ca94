import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { SlotTimer } from './slotTimer.ts';

const PERIOD_MS = 1_000;

/** A timer of node-a on a clock whose timers are early by so much, and what it said so far, with the slot. */
function timed(earlyMs: number, isConducting: () => boolean) {
  let nowMs = 500;
  const due = new Map<() => void, number>();
  const clock: Clock = {
    wallMs: () => nowMs,
    monoMs: () => nowMs,
    after: (ms, callback) => {
      const once = (): void => {
        due.delete(once);
        callback();
      };
      due.set(once, nowMs + Math.max(ms - earlyMs, 0.5)); // as a timer that is due at once comes a little later
      return () => due.delete(once);
    },
  };
  const slots = new SlotClock(clock, PERIOD_MS);
  const first = slots.slot(PERIOD_MS);
  const said: string[] = [];
  const say = (what: string) => said.push(`${slots.slot(PERIOD_MS) - first} ${what}`);
  const timer = new SlotTimer({
    clock,
    slots,
    node: 'node-a' as NodeName,
    periodMs: PERIOD_MS,
    isConducting,
    onSlot: () => say('slot'),
    onRound: (conducts) => say(conducts ? 'round, conducting' : 'round'),
    onConducting: () => say('conducting'),
  });
  const passMs = (ms: number): void => {
    const endMs = nowMs + ms;
    for (;;) {
      const [next] = [...due].toSorted(([, a], [, b]) => a - b);
      if (!next || next[1] > endMs) break;
      nowMs = next[1];
      next[0]();
    }
    nowMs = endMs;
  };
  return { said, timer, passMs };
}

test.each([0, 0.6, 5])(
  'each moment comes once in a slot, of timers that are %s ms early',
  (earlyMs) => {
    let leads = false;
    const { said, passMs } = timed(earlyMs, () => leads);
    passMs(2 * PERIOD_MS);
    leads = true;
    passMs(1.9 * PERIOD_MS);
    expect(said).toEqual([
      '1 slot',
      '1 round',
      '2 slot',
      '2 round',
      '3 slot',
      '3 round, conducting',
      '3 conducting',
      '4 slot',
      '4 round, conducting',
    ]);
  },
);

test('stop() ends them', () => {
  const { said, timer, passMs } = timed(0, () => true);
  passMs(PERIOD_MS);
  timer.stop();
  const before = said.length;
  passMs(3 * PERIOD_MS);
  expect(said).toHaveLength(before);
});
