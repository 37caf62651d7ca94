import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { Members } from './members.ts';
import { PeersInUse } from './peersInUse.ts';
import { stillClock } from './records.fixture.ts';

const nameOf = (n: number): NodeName => `node-${n}` as NodeName;
const members = (count: number): Members =>
  Members.of(
    Array.from({ length: count }, (_, n) => ({
      node: nameOf(n),
      sid: '0'.repeat(32) as Sid,
      entry: '0'.repeat(64),
    })),
  );
const MINUTE_MS = 60_000;

/** Of node-0, that knows up to three nodes whole. */
function inUseOf() {
  const time = { ms: 0 };
  const clock = { ...stillClock, monoMs: () => time.ms };
  return { time, inUse: new PeersInUse({ knowAllUpTo: 3, clock, node: nameOf(0) }) };
}

test('all other members are in use up to the limit, beyond it those alone that are used', () => {
  const { inUse } = inUseOf();
  expect(inUse.of(members(3))).toEqual([nameOf(1), nameOf(2)]);
  expect(inUse.of(members(4))).toEqual([]);
  inUse.use(nameOf(2));
  inUse.use(nameOf(0)); // oneself is none
  inUse.use(nameOf(9)); // nor is who is no member
  expect(inUse.met(nameOf(3))).toBe(true);
  expect(inUse.met(nameOf(3))).toBe(false);
  expect(inUse.of(members(4))).toEqual([nameOf(2), nameOf(3)]);
});

test('a peer goes out of use when neither end has used it for a while', () => {
  const { inUse, time } = inUseOf();
  inUse.use(nameOf(1));
  inUse.met(nameOf(2));
  time.ms = 14 * MINUTE_MS;
  inUse.met(nameOf(2));
  time.ms = 16 * MINUTE_MS;
  expect(inUse.of(members(4))).toEqual([nameOf(2)]);
});

test('who is still used is told so in time, once; who only uses this node is not', () => {
  const { inUse, time } = inUseOf();
  inUse.use(nameOf(1));
  inUse.use(nameOf(2));
  inUse.met(nameOf(3));
  time.ms = MINUTE_MS;
  inUse.use(nameOf(1));
  expect(inUse.toMeetAgain()).toEqual([]);
  time.ms = 6 * MINUTE_MS;
  expect(inUse.toMeetAgain()).toEqual([nameOf(1)]);
  expect(inUse.toMeetAgain()).toEqual([]);
});

test('there are never more than a node can bear, whoever asks', () => {
  const { inUse } = inUseOf();
  for (let n = 1; n < 5_000; n += 1) inUse.met(nameOf(n));
  expect(inUse.of(members(5_000))).toHaveLength(2_048);
});
