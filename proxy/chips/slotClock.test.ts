import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slotAt } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { SlotClock } from './slotClock.ts';

const PERIOD = 10_000;

/** A clock whose two faces a test moves by hand. */
class TwoFaces implements Clock {
  wall = 1_000_000_000;
  mono = 5;
  wallMs = (): number => this.wall;
  monoMs = (): number => this.mono;
  after = (): (() => void) => () => undefined;
  pass(ms: number, wallMs = ms): void {
    this.mono += ms;
    this.wall += wallMs;
  }
}

describe('SlotClock', () => {
  it('slot() is floor(unixMs / period) while the clocks agree', () => {
    const clock = new TwoFaces();
    const slots = new SlotClock(clock, PERIOD);
    expect(slots.slot(PERIOD)).toBe(100_000);
    clock.pass(9_999);
    expect(slots.slot(PERIOD)).toBe(100_000);
    clock.pass(1);
    expect(slots.slot(PERIOD)).toBe(100_001);
    expect(slots.slot(5_000)).toBe(200_002);
    expect(slots.untilNextMs(PERIOD)).toBe(PERIOD);
  });

  it('timeMs() follows a small skew by at most a quarter of the time that passes', () => {
    const clock = new TwoFaces();
    const slots = new SlotClock(clock, PERIOD);
    clock.wall += 4_000;
    expect(slots.timeMs()).toBe(1_000_000_000);
    clock.pass(10_000);
    expect(slots.timeMs()).toBe(1_000_012_500);
    clock.pass(10_000);
    expect(slots.timeMs()).toBe(1_000_024_000);
    expect(slots.step()).toBeUndefined();
  });

  it('timeMs() does not follow a step over half a period, and step() reports it', () => {
    for (const offset of [-60_000, -5_001, 5_001, 86_400_000]) {
      const clock = new TwoFaces();
      const slots = new SlotClock(clock, PERIOD);
      clock.wall += offset;
      clock.pass(10_000);
      expect(slots.timeMs()).toBe(1_000_010_000);
      expect(slots.step()).toEqual({ offsetMs: offset });
    }
  });

  it('step() ends when the wall clock comes back', () => {
    const clock = new TwoFaces();
    const slots = new SlotClock(clock, PERIOD);
    clock.wall += 30_000;
    expect(slots.step()?.offsetMs).toBe(30_000);
    clock.wall -= 30_000;
    expect(slots.step()).toBeUndefined();
  });

  it('adopt() takes over wall time after a suspend, during which monotonic time stood still', () => {
    const clock = new TwoFaces();
    const slots = new SlotClock(clock, PERIOD);
    clock.pass(100, 3_600_000);
    expect(slots.step()?.offsetMs).toBe(3_600_000 - 100);
    slots.adopt();
    expect(slots.timeMs()).toBe(1_003_600_000);
    expect(slots.step()).toBeUndefined();
  });

  it('noticeSuspend() counts what the machine slept, once, and neither clocks that were read apart nor a step', () => {
    const clock = new TwoFaces();
    let asleepMs = 777_000; // before the process began
    const slots = new SlotClock(clock, PERIOD, () => asleepMs);
    expect(slots.noticeSuspend()).toBe(0);
    asleepMs += 20; // read a moment apart
    expect(slots.noticeSuspend()).toBe(0);
    clock.pass(1_000, 3_601_000);
    asleepMs += 3_600_000;
    expect(slots.noticeSuspend()).toBe(3_600_020);
    expect(slots.noticeSuspend()).toBe(0);
    expect(slots.timeMs()).toBeGreaterThanOrEqual(1_003_601_000);
    expect(slots.timeMs()).toBeLessThan(1_003_601_000 + 21);
    expect(slots.step()).toBeUndefined();
    clock.wall += 60_000;
    expect(slots.noticeSuspend()).toBe(0);
    expect(slots.step()?.offsetMs).toBeGreaterThan(59_000);
  });

  it('vouched() takes over a wall clock that agrees, and only forward', () => {
    const at = (stepMs: number, vouchedMs: number): { took: boolean; timeMs: number } => {
      const clock = new TwoFaces();
      const slots = new SlotClock(clock, PERIOD);
      clock.pass(100, 100 + stepMs);
      const took = slots.vouched(slotAt(1_000_000_000 + vouchedMs, PERIOD), PERIOD);
      return { took, timeMs: slots.timeMs() - 1_000_000_100 };
    };
    expect(at(3_600_000, 3_600_000)).toEqual({ took: true, timeMs: 3_600_000 });
    expect(at(3_600_000, 3_600_000 - PERIOD)).toEqual({ took: true, timeMs: 3_600_000 });
    const untouched = { took: false, timeMs: 0 };
    expect(at(3_600_000, 3_600_000 - 2 * PERIOD)).toEqual(untouched); // an old record
    expect(at(3_600_000, 3_600_000 + 2 * PERIOD)).toEqual(untouched);
    expect(at(3_600_000, 0)).toEqual(untouched);
    expect(at(-3_600_000, -3_600_000)).toEqual(untouched);
    expect(at(0, 3_600_000)).toEqual(untouched);
  });

  it('counts a suspend once, though a record vouches for the wall clock before the next slot begins', () => {
    const clock = new TwoFaces();
    let asleepMs = 0;
    const slots = new SlotClock(clock, PERIOD, () => asleepMs);
    clock.pass(100, 3_600_100);
    asleepMs += 3_600_000;
    expect(slots.vouched(slotAt(clock.wall, PERIOD), PERIOD)).toBe(true);
    expect(slots.noticeSuspend()).toBe(0);
    expect(slots.timeMs()).toBe(clock.wall);
  });

  it('adopt() never goes back', () => {
    const clock = new TwoFaces();
    const slots = new SlotClock(clock, PERIOD);
    clock.wall -= 3_600_000;
    slots.adopt();
    expect(slots.timeMs()).toBe(1_000_000_000);
    expect(slots.step()?.offsetMs).toBe(-3_600_000);
  });

  it('timeMs() never goes back, and runs at 0.75 to 1.25 of monotonic time, whatever wall does', () => {
    const move = fc.record({ mono: fc.nat(20_000), wall: fc.integer({ min: -9e6, max: 9e6 }) });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const clock = new TwoFaces();
        const slots = new SlotClock(clock, PERIOD);
        let last = slots.timeMs();
        for (const { mono, wall } of moves) {
          clock.pass(mono, wall);
          const now = slots.timeMs();
          expect(now - last).toBeGreaterThanOrEqual(mono * 0.75 - 1e-3);
          expect(now - last).toBeLessThanOrEqual(mono * 1.25 + 1e-3);
          last = now;
        }
      }),
    );
  });
});
