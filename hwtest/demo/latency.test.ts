import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLatencies } from './latency.ts';

describe('createLatencies()', () => {
  test('percentile() is within 2 percent of the sorted list', () => {
    const ms = fc.double({ min: 0.01, max: 60_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(ms, { minLength: 1 }), fc.double({ min: 0.01, max: 1 }), (all, q) => {
        if (Number.isNaN(q)) return;
        const latencies = createLatencies();
        for (const each of all) latencies.add(each);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(q * all.length) - 1] ?? 0;
        expect(latencies.percentile(q)).toBeGreaterThanOrEqual(exact * 0.999999);
        expect(latencies.percentile(q)).toBeLessThanOrEqual(exact * 1.0201);
      }),
    );
  });

  test('percentile() of nothing is zero', () => {
    expect(createLatencies().percentile(0.5)).toBe(0);
  });
});
