import { expect, test } from 'vitest';
import { Semaphore } from './semaphore.ts';

test('run() has so many tasks under way, the others in their order, whatever became of those before', async () => {
  const semaphore = new Semaphore(2);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const results = [0, 1, 2, 3].map((n) =>
    semaphore.run(async () => {
      began.push(n);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (n === 0) throw new Error('failed');
      return n;
    }),
  );
  const settled = Promise.allSettled(results);
  expect([began, semaphore.waiting]).toEqual([[0, 1], 2]);
  ends[0]?.();
  await expect(results[0]).rejects.toThrow('failed');
  await new Promise(setImmediate);
  expect([began, semaphore.waiting]).toEqual([[0, 1, 2], 1]);
  ends[1]?.();
  await new Promise(setImmediate);
  for (const end of ends) end();
  await new Promise(setImmediate);
  for (const end of ends) end();
  await settled;
  expect(began).toEqual([0, 1, 2, 3]);
  await expect(semaphore.run(() => Promise.resolve('more'))).resolves.toBe('more');
});
