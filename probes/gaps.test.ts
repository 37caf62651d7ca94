import { expect, test } from 'vitest';
import { Gaps } from './gaps.ts';
import { StepClock } from './tracer.fixture.ts';

test('Gaps begin at the last sign of life and end at the next', async () => {
  const clock = new StepClock();
  const gaps = new Gaps(clock);
  const t0 = clock.wallMs();
  gaps.opened('start');
  await clock.step(100);
  gaps.seen();
  await clock.step(100);
  gaps.seen();
  await clock.step(5_000);
  gaps.opened('first');
  await clock.step(1_000);
  gaps.opened('second');
  expect(gaps.all()).toEqual([
    { from: t0, to: t0 + 100, reason: 'start' },
    { from: t0 + 200, reason: 'second' },
  ]);
  gaps.seen();
  expect(gaps.all().at(-1)).toEqual({ from: t0 + 200, to: t0 + 6_200, reason: 'second' });
});

test('Gaps keeps the last 20, and the one that lasts', () => {
  const gaps = new Gaps(new StepClock());
  for (let i = 0; i < 50; i += 1) {
    gaps.opened(`gap ${i}`);
    gaps.seen();
  }
  gaps.opened('now');
  expect(gaps.all()).toHaveLength(21);
  expect(gaps.all()[0]?.reason).toBe('gap 30');
  expect(gaps.all().at(-1)).not.toHaveProperty('to');
});
