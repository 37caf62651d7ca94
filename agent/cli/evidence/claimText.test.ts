// Claims as a person sees them.
import { expect, it } from 'vitest';
import { claimLines } from './claimText.ts';

it('claimLines() gives an object a line for each member', () => {
  expect(claimLines({ chip: 'ab', tcb: { snp: 8, parts: [1, 'two'], deep: { a: [] } } })).toEqual([
    '  chip: ab',
    '  tcb',
    '    snp: 8',
    '    parts: 1, two',
    '    deep: {"a":[]}',
  ]);
});

it('claimLines() cuts long lists and long values, and says of what length they are', () => {
  const list = Array.from({ length: 19 }, (_, i) => i);
  expect(
    claimLines({ list, text: 'x'.repeat(161), digest: 'a'.repeat(128), no: null, empty: [] }),
  ).toEqual([
    '  list: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, and 3 more',
    `  text: ${'x'.repeat(160)}... (161 characters)`,
    `  digest: ${'a'.repeat(128)}`,
    '  no: null',
    '  empty: none',
  ]);
  expect(claimLines({})).toEqual([]);
});

it('claimLines() is bounded by the number of claims, whatever they hold', () => {
  const item = { bytes: 'f'.repeat(10_000) };
  const lines = claimLines({ deep: { list: Array.from({ length: 1000 }, () => item) } });
  expect(lines.join('\n').length).toBeLessThan(4000);
});
