// That text, vectors and reader are about the same: no row of PROTOCOL 13 without a vector, no section that
// defines a derivation or message without one; and that the reader is made from the text alone.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { protocolHeadings, protocolTable } from './protocol.ts';
import { ROWS } from './recompute.ts';
import { PAYLOADS } from './shapes.ts';
import { Given, readVectors, vectorFiles } from './vectors.ts';

/** Sections from 2 to 9 that define neither a derivation nor a message, and what they do instead. */
const WITHOUT_VECTORS: Readonly<Record<string, string>> = {
  '3.4': 'which statement is used',
  '3.5': 'when a node withdraws, by a presence',
  '4': 'its parts',
  '4.1': 'a clock',
  '4.6': 'which chain is used',
  '6.4': 'what is not said',
  '7.2': 'limits of use',
  '8': 'what openings of 6.1 hold and are answered',
};

const vectors = vectorFiles.flatMap(readVectors);

test('PROTOCOL 13: every row of the table has a vector and a reader, and every vector a row', () => {
  const named = [...protocolTable.keys()].toSorted();
  expect(named.length).toBeGreaterThan(40); // else the table itself was not found
  expect([...new Set(vectors.map(({ compute }) => compute))].toSorted()).toEqual(named);
  expect(Object.keys(ROWS).toSorted()).toEqual(named);
});

test('PROTOCOL 2 to 9: every section that defines a derivation or message has a vector', () => {
  const sections = vectors.flatMap(({ compute, given, refused }) => [
    ...(protocolTable.get(compute) ?? []),
    ...(compute === 'document' ? [PAYLOADS[new Given(given).text('kind')]?.section] : []),
    ...(refused?.split(' ').slice(0, 1) ?? []),
  ]);
  const headings = protocolHeadings.filter((number) => {
    const chapter = Number.parseInt(number, 10);
    return chapter >= 2 && chapter <= 9;
  });
  expect(headings.length).toBeGreaterThan(20); // else the headings themselves were not found
  const without = headings.filter((number) => !sections.includes(number));
  expect(without).toEqual(Object.keys(WITHOUT_VECTORS).toSorted());
});

test('hwtest/reader imports nothing of ours', () => {
  const specifiers = readdirSync(import.meta.dirname)
    .map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8'))
    .flatMap((source) => [...source.matchAll(/\b(?:from|import)\s*\(?\s*'(?<specifier>[^']+)'/g)])
    .map((found) => found.groups?.['specifier'] ?? '');
  expect(specifiers.length).toBeGreaterThan(50); // else the scan itself is broken
  const ours = specifiers.filter(
    (specifier) => !/^(?:\.\/|node:|@noble\/|vitest$)/.test(specifier),
  );
  expect(ours).toEqual([]);
});
