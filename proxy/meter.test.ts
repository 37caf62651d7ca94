import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Meter } from './meter.ts';

describe('Meter.take()', () => {
  test('take() lets its rate pass in a second, and again in the next', () => {
    let nowMs = 5000;
    const meter = new Meter(3, { monoMs: () => nowMs });
    const take4 = (): boolean[] => [1, 2, 3, 4].map(() => meter.take());
    expect(take4()).toEqual([true, true, true, false]);
    nowMs += 999;
    expect(meter.take()).toBe(false);
    nowMs += 1;
    expect(take4()).toEqual([true, true, true, false]);
  });

  test('take() takes an amount whole or not at all', () => {
    const meter = new Meter(10, { monoMs: () => 0 });
    expect([meter.take(8), meter.take(3), meter.take(2), meter.take(1)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test('take() never lets more than twice its rate pass in any second', () => {
    const steps = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 9 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (steps) => {
        let nowMs = 0;
        const meter = new Meter(20, { monoMs: () => nowMs });
        const passed: { readonly atMs: number; readonly amount: number }[] = [];
        for (const [advanceMs, amount] of steps) {
          nowMs += advanceMs;
          if (meter.take(amount)) passed.push({ atMs: nowMs, amount });
        }
        for (const { atMs } of passed) {
          const second = passed.filter((p) => p.atMs >= atMs && p.atMs < atMs + 1000);
          expect(second.reduce((sum, p) => sum + p.amount, 0)).toBeLessThanOrEqual(40);
        }
      }),
    );
  });
});
