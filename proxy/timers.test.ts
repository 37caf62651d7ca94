import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Timers } from './timers.ts';

it('run() calls what is due, once, in the order of its time among equals, and nothing cancelled', () => {
  const timer = fc.record({ atMs: fc.nat(50), ms: fc.nat(20), cancelled: fc.boolean() });
  fc.assert(
    fc.property(fc.array(timer, { maxLength: 40 }), fc.nat(80), (unsorted, nowMs) => {
      const all = unsorted.toSorted((a, b) => a.atMs - b.atMs);
      const timers = new Timers();
      const called: number[] = [];
      const cancels = all.map(({ atMs, ms }, i) => timers.set(atMs, ms, () => called.push(i)));
      all.forEach(({ cancelled }, i) => cancelled && cancels[i]?.());
      const live = all.flatMap(({ atMs, ms, cancelled }, i) =>
        cancelled ? [] : [{ i, ms, dueMs: atMs + ms }],
      );
      expect(timers.nextMs()).toBe(Math.min(Infinity, ...live.map(({ dueMs }) => dueMs)));
      timers.run(nowMs);
      timers.run(nowMs);
      const due = live.filter(({ dueMs }) => dueMs <= nowMs);
      expect(called.toSorted((a, b) => a - b)).toEqual(due.map(({ i }) => i));
      for (const { ms } of due) {
        const same = called.filter((i) => all[i]?.ms === ms);
        expect(same).toEqual(same.toSorted((a, b) => a - b));
      }
      for (const cancel of cancels) cancel();
      expect(timers.nextMs()).toBe(Infinity);
    }),
  );
});

it('run() takes timers that are set and cancelled meanwhile', () => {
  const timers = new Timers();
  const called: string[] = [];
  let cancel = (): void => undefined;
  timers.set(0, 1, () => {
    called.push('one');
    cancel();
    timers.set(1, 1, () => called.push('three'));
  });
  cancel = timers.set(0, 1, () => called.push('two'));
  timers.run(1);
  expect(called).toEqual(['one']);
  expect(timers.nextMs()).toBe(2);
  timers.run(2);
  expect(called).toEqual(['one', 'three']);
});
