import { describe, expect, test } from 'vitest';
import { closeFd } from '#proxy/native/fd.ts';
import { COUNTER_NAMES, COUNTERS_LAYOUT, Counters } from './counters.ts';

describe('Counters', () => {
  test('Counters.totals() sums what every worker added, through another mapping', () => {
    const owner = Counters.create();
    const mapped = Counters.map(owner.fd);
    mapped.row(0).add('bytesOut', 1500);
    mapped.row(1).add('bytesOut', 2 ** 40);
    mapped.row(COUNTERS_LAYOUT.maxWorkers - 1).add('refused.policy');
    closeFd(owner.fd);
    const totals = owner.totals();
    expect(totals.bytesOut).toBe(1500 + 2 ** 40);
    expect(totals['refused.policy']).toBe(1);
    expect(Object.keys(totals)).toEqual([...COUNTER_NAMES]);
  });

  test('Counters.row() of a worker that starts anew keeps counts and clears gauges', () => {
    const counters = Counters.create();
    const before = counters.row(3);
    before.add('active', 7);
    before.add('lanesOpenedIn', 9);
    counters.row(3).add('active', 1);
    expect(counters.totals()).toMatchObject({ active: 1, lanesOpenedIn: 9 });
    closeFd(counters.fd);
  });

  test('Counters.row() refuses a worker for which there is no row', () => {
    const counters = Counters.create();
    expect(() => counters.row(COUNTERS_LAYOUT.maxWorkers)).toThrow(RangeError);
    closeFd(counters.fd);
  });
});
