import { expect, it } from 'vitest';
import { growthOf, isLongEnough, leakText } from './result.ts';

const COUNTS = {
  'node-a data plane: tcp': 40,
  'node-a data plane: anon': 12,
  'node-a data plane: RSS MiB': 200,
  'rig: processes': 9,
};
const rowsTo = (change: Partial<typeof COUNTS>) => [
  { connections: 0, counts: COUNTS },
  { connections: 25, counts: { ...COUNTS, 'rig: processes': 99 } },
  ...[50, 75, 100].map((connections) => ({ connections, counts: { ...COUNTS, ...change } })),
];
const grown = (change: Partial<typeof COUNTS>) => growthOf(rowsTo(change)).map(({ name }) => name);

it('growthOf() compares the last row with the first, with room for pools and heaps alone', () => {
  expect(grown({})).toEqual([]);
  expect(grown({ 'node-a data plane: tcp': 600, 'node-a data plane: RSS MiB': 280 })).toEqual([]);
  expect(grown({ 'node-a data plane: tcp': 700 })).toEqual(['node-a data plane: tcp']);
  expect(grown({ 'node-a data plane: RSS MiB': 290 })).toEqual(['node-a data plane: RSS MiB']);
  expect(grown({ 'node-a data plane: anon': 13 })).toEqual(['node-a data plane: anon']);
  expect(grown({ 'rig: processes': 10 })).toEqual(['rig: processes']);
});

it('growthOf() takes no heap before it is collected for a leak', () => {
  const rows = rowsTo({ 'node-a data plane: RSS MiB': 290 });
  expect(growthOf(rows).map(({ after }) => after)).toEqual([290]);
  expect(growthOf(rows.with(3, { connections: 75, counts: COUNTS }))).toEqual([]);
});

it('leakText() says what grew, and what is allowed', () => {
  const rows = rowsTo({ 'rig: processes': 10 });
  const text = leakText({
    apiVersion: 'tidelock/v1',
    kind: 'Leak',
    connections: 100,
    opened: 100,
    failed: 0,
    seconds: 2,
    rows,
    grew: growthOf(rows),
    ok: false,
  });
  expect(text).toMatch(/^rig: processes +9 +99 +10 +10 +10 +9$/m);
  expect(text).toMatch(/^node-a data plane: tcp +40 .* 640$/m);
  expect(text).toContain('GREW: rig: processes from 9 to 10, allowed are 9');
});

it.each([
  [9_999, false, 'Too short to judge: make 10000 connections at least.'],
  [10_000, false, 'Stopped before all connections were made.'],
  [10_000, true, 'Nothing leaks.'],
])('leakText() of %i connections, ok %s, ends with: %s', (connections, ok, verdict) => {
  expect(isLongEnough(connections)).toBe(connections === 10_000);
  const text = leakText({
    apiVersion: 'tidelock/v1',
    kind: 'Leak',
    connections,
    opened: connections,
    failed: 0,
    seconds: 2,
    rows: rowsTo({}),
    grew: [],
    ok,
  });
  expect(text.trimEnd().split('\n').at(-1)).toBe(verdict);
});
