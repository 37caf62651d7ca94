import { beforeEach, expect, test } from 'vitest';
import type { RoundResult } from './attestor.ts';
import { RenewalTimes } from './renewalTimes.ts';

const PERIOD_MS = 5_000;
const RENEW_MS = 300_000;

let nowMs: number;
let bus: { connected: boolean };
/** How old the record is that the evidence rests on. */
let ageMs: number;
let times: RenewalTimes;
beforeEach(() => {
  nowMs = 1_000_000;
  bus = { connected: true };
  ageMs = 0;
  times = new RenewalTimes({
    attestor: { restsOn: '0'.repeat(64) },
    bus,
    history: { acceptable: (_hash, _nowMs, maxAgeMs) => ageMs <= maxAgeMs },
    clock: { wallMs: () => nowMs, monoMs: () => nowMs, after: () => () => undefined },
    random: () => 0,
    periodMs: PERIOD_MS,
    renewMs: RENEW_MS,
  });
});

const attested = (over: Partial<RoundResult & { outcome: 'attested' }> = {}): RoundResult => ({
  outcome: 'attested',
  asked: true,
  stored: true,
  sealed: undefined,
  ...over,
});

test('a node attests itself at once, and again before its attestation runs out', () => {
  expect(times.isDue(false)).toBe(true);
  times.note(attested());
  expect(times.isDue(false)).toBe(false);
  nowMs += 0.9 * RENEW_MS;
  expect(times.isDue(false)).toBe(true);
});

test('one that is not listed asks again, at once where nobody was asked, else when a roster could list it', () => {
  times.note(attested({ asked: false }));
  expect(times.isDue(true)).toBe(false);
  nowMs += PERIOD_MS / 2;
  expect(times.isDue(true)).toBe(true);
  times.note(attested());
  nowMs += 3 * PERIOD_MS;
  expect(times.isDue(true)).toBe(false);
  times.askSoon();
  expect(times.isDue(true)).toBe(true);
  expect(times.isDue(false)).toBe(false);
});

test('one that nobody can know of says it as soon as the bus is there', () => {
  times.note(attested({ stored: false }));
  bus.connected = false;
  expect(times.isDue(false)).toBe(false);
  bus.connected = true;
  expect(times.isDue(false)).toBe(true);
});

test('evidence on a record that is too old is renewed, in its turn', () => {
  times.note(attested({ asked: false }));
  ageMs = 1.5 * RENEW_MS + 1;
  expect(times.isDue(false)).toBe(false);
  nowMs += PERIOD_MS;
  expect(times.isDue(false)).toBe(true);
  bus.connected = false;
  expect(times.isDue(false)).toBe(false);
});

test('what failed is tried again in the next slot', () => {
  times.note({ outcome: 'failed', why: 'no TPM' });
  expect(times.asked).toBe(false);
  expect(times.isDue(false)).toBe(false);
  nowMs += PERIOD_MS;
  expect(times.isDue(false)).toBe(true);
});
