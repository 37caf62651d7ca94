import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { BEHIND, USUAL, setProcessPriority, withPriority } from './priority.ts';

const priorities = (): number[] =>
  readdirSync('/proc/self/task').map((tid) => getPriority(Number(tid)));

const before = getPriority();
afterEach(() => void setProcessPriority(before));

test('setProcessPriority() is for all threads, those made later too, and can be taken back by who may', async () => {
  expect(setProcessPriority(BEHIND)).toBe(true);
  expect(priorities().every((nice) => nice === BEHIND)).toBe(true);
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  expect(priorities().every((nice) => nice === BEHIND)).toBe(true);
  await worker.terminate();
  const mayRaise = process.getuid?.() === 0;
  expect(setProcessPriority(USUAL)).toBe(mayRaise);
  expect(new Set(priorities())).toEqual(new Set([mayRaise ? USUAL : BEHIND]));
  expect(BEHIND).toBeGreaterThan(constants.priority.PRIORITY_NORMAL);
});

test('withPriority() is for what is started, whether or not that succeeds, and for nothing else', () => {
  const childs = (): string => execFileSync('nice', { encoding: 'utf8' }).trim();
  expect(withPriority(BEHIND, childs)).toBe(String(BEHIND));
  expect(() =>
    withPriority(BEHIND, () => {
      throw new RangeError('does not start');
    }),
  ).toThrow('does not start');
  const after = process.getuid?.() === 0 ? before : BEHIND;
  expect(priorities()).toEqual(priorities().map(() => after));
});
