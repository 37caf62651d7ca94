import { expect, test } from 'vitest';
import type { Slot } from '#agent/base/brands.ts';
import { RecordHistory } from './history.ts';
import { drawNode, NOW_MS, NOW_SLOT, PERIOD_MS, recordBy } from './records.fixture.ts';

const POLICY_HASH = '1'.repeat(64);
const MAX_AGE_MS = 60_000;
const MAX_STALENESS_MS = 300_000;
const node = drawNode('node-a');

const recordAt = (slotsAgo: number, prev: string | null = '0'.repeat(64)) =>
  recordBy(node, { atSlot: (NOW_SLOT - slotsAgo) as Slot, prev }).record;

test('evidence is as old as the record that it rests on, while records come', () => {
  const history = new RecordHistory(POLICY_HASH, MAX_STALENESS_MS);
  const [old, now] = [recordAt(13), recordAt(0)];
  history.add(old);
  history.add(now);
  expect(history.acceptable(now.hash, NOW_MS, MAX_AGE_MS)).toBe(true);
  expect(history.acceptable(old.hash, NOW_MS, MAX_AGE_MS)).toBe(false);
  expect(history.acceptable(old.hash, NOW_MS, 13 * PERIOD_MS)).toBe(true);
  expect(history.acceptable('2'.repeat(64), NOW_MS, MAX_AGE_MS)).toBe(false);
});

test('it grows no older while no record comes, for as long as an outage may last', () => {
  const history = new RecordHistory(POLICY_HASH, MAX_STALENESS_MS);
  const [old, newest] = [recordAt(13), recordAt(0)];
  history.add(old);
  history.add(newest);
  const at = (ms: number) =>
    [old, newest].map(({ hash }) => history.acceptable(hash, NOW_MS + ms, MAX_AGE_MS));
  expect(at(MAX_STALENESS_MS)).toEqual([false, true]);
  expect(at(MAX_STALENESS_MS + MAX_AGE_MS)).toEqual([false, true]);
  expect(at(MAX_STALENESS_MS + MAX_AGE_MS + 1)).toEqual([false, false]);
});

test('a record that is taken back makes nothing fresh', () => {
  const history = new RecordHistory(POLICY_HASH, MAX_STALENESS_MS);
  const [old, later] = [recordAt(20), recordAt(0)];
  history.add(old);
  history.add(later);
  history.remove(later.hash);
  expect(history.has(later.hash)).toBe(false);
  expect(history.acceptable(old.hash, NOW_MS, MAX_AGE_MS)).toBe(true); // the newest that is known
});

test('the policy stands for a record until the first one is too old', () => {
  const history = new RecordHistory(POLICY_HASH, MAX_STALENESS_MS);
  expect(history.acceptable(POLICY_HASH, NOW_MS, MAX_AGE_MS)).toBe(true);
  history.add(recordAt(13, null));
  history.add(recordAt(0));
  expect(history.acceptable(POLICY_HASH, NOW_MS, MAX_AGE_MS)).toBe(false);
  expect(history.acceptable(POLICY_HASH, NOW_MS, 13 * PERIOD_MS)).toBe(true);
});
