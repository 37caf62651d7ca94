import { expect, it } from 'vitest';
import { readMoment } from './moment.ts';

const NOON = Date.UTC(2026, 0, 31, 12);

it.each([
  ['2026-01-31T12:00:00Z', NOON],
  ['2026-01-31T12:00', NOON],
  ['2026-01-31t12:00:00.250z', NOON + 250],
  ['2026-01-31T14:00:00+02:00', NOON],
  ['2026-01-31', NOON - 12 * 3_600_000],
  [String(NOON / 1000), NOON],
  [String(NOON), NOON],
  ['0', 0],
])('readMoment() reads %s', (text, atMs) => {
  expect(readMoment(text, 'evidence tdx')).toBe(atMs);
});

it('readMoment() is now when nothing is given', () => {
  const before = Date.now();
  expect(readMoment(undefined, 'evidence tdx')).toBeGreaterThanOrEqual(before);
});

it.each(['', 'yesterday', '2026-13-01', '2026-01-31T25:00Z', '2026-01-31 12:00', '-1', '1e9'])(
  'readMoment() refuses %j and names the verb',
  (text) => {
    expect(() => readMoment(text, 'evidence tdx')).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('evidence tdx') }),
    );
  },
);
