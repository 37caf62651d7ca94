import { describe, expect, test } from 'vitest';
import { Batches } from './batches.ts';
import { SkippingClock } from './skippingClock.fixture.ts';

function batchesOf(count: number) {
  const clock = new SkippingClock(true);
  const left = { count };
  const batches = new Batches(clock, 3, () => {
    left.count -= 1;
    return left.count > 0;
  });
  return { clock, left, batches };
}

describe('Batches', () => {
  test('start() does one at once and the others after a pause each', () => {
    const { clock, left, batches } = batchesOf(3);
    batches.start();
    expect(left.count).toBe(2);
    clock.skip(2);
    expect(left.count).toBe(2);
    clock.skip(2);
    expect(left.count).toBe(1);
    clock.skip(100);
    clock.skip(100);
    expect(left.count).toBe(0);
  });

  test('start() while they are under way begins no second course', () => {
    const { clock, left, batches } = batchesOf(10);
    batches.start();
    batches.start();
    expect(left.count).toBe(9);
    clock.skip(4);
    expect(left.count).toBe(8);
  });

  test('start() after the last begins anew', () => {
    const { left, batches } = batchesOf(1);
    batches.start();
    left.count = 5;
    batches.start();
    expect(left.count).toBe(4);
  });

  test('close() ends them for good', () => {
    const { clock, left, batches } = batchesOf(3);
    batches.start();
    batches.close();
    clock.skip(100);
    batches.start();
    expect(left.count).toBe(2);
  });
});
