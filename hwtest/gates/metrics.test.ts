// The metrics in both directions: docs/metrics.md says what agent/metrics/families.ts does, with every
// reason of a refusal.
import { expect, test } from 'vitest';
import { FAMILIES } from '#agent/metrics/families.ts';
import { REFUSALS } from '#proxy/counters.ts';
import { sourceFiles } from './sources.ts';

const markdown = sourceFiles((path) => path === 'docs/metrics.md')[0]?.text ?? '';
const cells = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

test('docs/metrics.md has the name, type, label and help of every family once, and no other', () => {
  const rows = markdown.match(/^\| tidelock_.*\|$/gm) ?? [];
  const documented = rows.map((row) => {
    const [name, type, label, help] = cells(row);
    return { name, type, label, help };
  });
  expect(documented).toEqual(
    FAMILIES.map(({ name, type, label = '', help }) => ({ name, type, label, help })),
  );
});

test('FAMILIES follow the naming of Prometheus', () => {
  expect(new Set(FAMILIES.map(({ name }) => name)).size).toBe(FAMILIES.length);
  for (const { name, type } of FAMILIES) {
    expect(name).toMatch(/^tidelock_[a-z][a-z_]*[a-z]$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(name, 'base units').not.toMatch(/_(ms|kb|mb|minutes)(_|$)/);
  }
});

test('FAMILIES take no label that could name a pod, a peer or an identity', () => {
  const closed = [
    'direction',
    'reason',
    'result',
    'verdict',
    'state',
    'algorithm',
    'purpose',
    'kind',
  ];
  const labels = FAMILIES.flatMap(({ label }) => (label === undefined ? [] : [label]));
  expect(
    labels.filter((label) => ![...closed, 'version', 'process', 'worker'].includes(label)),
  ).toEqual([]);
});

test('docs/metrics.md explains every reason of a refusal once, and no other', () => {
  const section = markdown.slice(markdown.indexOf('## Refusals'));
  const rows = section.match(/^\| [a-z-]+ +\| (out|in|both) +\|.*\|$/gm) ?? [];
  expect(rows).toHaveLength(REFUSALS.length);
  expect(new Set(rows.map((row) => cells(row)[0]))).toEqual(new Set<string>(REFUSALS));
});
