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

test('Counters.create() goes on from the totals of an earlier data plane, whose gauges end with it', () => {
  const earlier = Counters.create();
  earlier.row(0).add('lanesOpenedIn', 5);
  earlier.row(3).add('active', 2);
  const counters = Counters.create(earlier);
  counters.row(0).add('lanesOpenedIn');
  counters.row(0).add('active');
  expect(counters.totals()).toMatchObject({ lanesOpenedIn: 6, active: 3 });
  counters.earlierEnded();
  expect(counters.totals()).toMatchObject({ lanesOpenedIn: 6, active: 1 });
  for (const { fd } of [earlier, counters]) closeFd(fd);
});
