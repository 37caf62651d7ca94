// Questions to a data plane that lies, answers late, twice or not at all.
import { expect, test } from 'vitest';
import { Questions } from './questions.ts';
import { SkippingClock } from './skippingClock.fixture.ts';

test('Questions.ask() takes the one answer to its number and kind', async () => {
  const questions = new Questions(new SkippingClock(true));
  const ids: number[] = [];
  const first = questions.ask('canary', (id) => ids.push(id));
  const second = questions.ask('canary', (id) => ids.push(id));
  expect(new Set(ids).size).toBe(2);
  const [a = 0, b = 0] = ids;
  questions.answer({ type: 'lanes', id: a, lanes: [], live: 0 });
  questions.answer({ type: 'canary', id: b + 1, tookMs: 9 });
  questions.answer({ type: 'canary', id: b, tookMs: 2 });
  questions.answer({ type: 'canary', id: b, tookMs: 3 });
  questions.answer({ type: 'canary', id: a, tookMs: 1 });
  expect(await first).toMatchObject({ tookMs: 1 });
  expect(await second).toMatchObject({ tookMs: 2 });
});

test('Questions.ask() counts on from another number for each control plane', () => {
  const first = (): number => {
    let id = 0;
    void new Questions(new SkippingClock(true)).ask('canary', (asked) => (id = asked));
    return id;
  };
  expect(new Set(Array.from({ length: 20 }, first)).size).toBe(20);
});

test('Questions.ask() gives up in time, and at once when nobody is left to answer', async () => {
  const clock = new SkippingClock(true);
  const questions = new Questions(clock);
  const late = questions.ask('lanes', () => undefined);
  clock.skip(10_000);
  expect(await late).toBeUndefined();
  const orphan = questions.ask('lanes', () => undefined);
  questions.close();
  expect(await orphan).toBeUndefined();
});
