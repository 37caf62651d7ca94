import { expect, it } from 'vitest';
import { evidencePage, figureOf, quantile, shareOfCore } from './evidenceResult.ts';

const timed = {
  name: 'quote',
  label: 'a quote',
  tookMs: [3, 1, 2, 10],
  cpuMs: [6, 2, 4],
  goalMs: 5,
};
const figure = figureOf(timed);

it('quantile() takes the nearest rank, whatever the order', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.5)).toBe(50);
  expect(quantile(values, 0.95)).toBe(95);
  expect(quantile([7], 0.95)).toBe(7);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});

it('figureOf() counts a core by processor time, not by the clock', () => {
  expect(figure).toEqual({
    name: 'quote',
    label: 'a quote',
    runs: 4,
    medianMs: 2,
    p95Ms: 10,
    cpuMs: 4,
    perSecond: 250,
    goalMs: 5,
  });
  expect(figureOf({ ...timed, cpuMs: [] })).toMatchObject({ cpuMs: null, perSecond: null });
});

it('shareOfCore() is of 1,000 verifications in a minute', () => {
  expect(shareOfCore(figure)).toBeCloseTo(4 / 60);
  expect(shareOfCore({ ...figure, cpuMs: 6 })).toBeCloseTo(0.1);
});

it('evidencePage() has a row for each figure, each peer and each kind of renewal', () => {
  const page = evidencePage({
    kind: 'EvidenceBench',
    machine: { node: 'v1' },
    subjects: [figure],
    peers: [{ ...figure, name: 'other', cpuMs: null, perSecond: null, goalMs: null }],
    renewals: { 'a quote': 0.0666 },
  });
  expect(page).toContain('| a quote | 2.000 | 10.0 | 4.000 | 250 | 4 | under 5 |');
  expect(page).toContain('| `other` | a quote | 2.000 | 10.0 | 4 |');
  expect(page).toContain('| a quote | 6.7 % |');
});
