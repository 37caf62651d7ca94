import { expect, test } from 'vitest';
import { scheduleOf } from './schedule.ts';
import { ACT_KINDS } from './windows.ts';

test.each([30_000, 600_000, 86_400_000])(
  'scheduleOf(%i) has every kind, in order, in time',
  (forMs) => {
    const planned = scheduleOf(forMs);
    expect(new Set(planned.map(({ kind }) => kind))).toEqual(new Set(ACT_KINDS));
    const times = planned.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(forMs);
  },
);

test('scheduleOf() has the bus away for a minute at most, and leaves both nodes time to be handed over', () => {
  const planned = scheduleOf(600_000);
  expect(planned.find(({ kind }) => kind === 'bus-outage')?.forMs).toBe(60_000);
  expect(planned.filter(({ kind }) => kind === 'hand-over').map(({ node }) => node)).toEqual([
    'node-b',
    'node-a',
  ]);
});
