import { expect, test } from 'vitest';
import type { Failure } from './account.ts';
import { actAt, excuseOf, type Act } from './windows.ts';

const crash: Act = {
  kind: 'data-plane-crash',
  to: 'node-a',
  from: 10_000,
  until: 12_000,
  detail: '',
};
const handOver: Act = { kind: 'hand-over', to: 'node-b', from: 20_000, until: 25_000, detail: '' };
const acts = [crash, handOver];
const failure = (at: number, openedAt: number): Failure => ({
  at,
  openedAt,
  program: 'nginx',
  connection: '1',
  what: 'ECONNRESET',
});

test.each([
  ['in a crash, on a connection from before it', 10_500, 1_000, crash],
  ['just after it, on a connection that was made while it lasted', 12_900, 11_000, crash],
  ['before it', 9_999, 1_000, undefined],
  ['long after it', 13_100, 1_000, undefined],
  ['just after it, on a connection that was made after it', 12_500, 12_400, undefined],
  ['in a hand-over', 21_000, 1_000, undefined],
])('excuseOf() a failure %s', (_when, at, openedAt, act) => {
  expect(excuseOf(failure(at, openedAt), acts)).toBe(act);
});

test('actAt() names what was under way, though it excuses nothing', () => {
  expect([9_000, 11_000, 21_000].map((at) => actAt(at, acts))).toEqual([
    undefined,
    crash,
    handOver,
  ]);
});
