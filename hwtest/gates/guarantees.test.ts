// The table of PROTOCOL 1 in both directions: each property is tested under its name in the files that its
// row names, and no test carries the name of a property that does not name its file.
import { expect, test } from 'vitest';
import { isTest, sourceFiles } from './sources.ts';

const PROPERTIES = Array.from({ length: 11 }, (_, n) => `G${n + 1}`);

const text = sourceFiles((path) => path === 'proxy/PROTOCOL.md')[0]?.text ?? '';

/** Property -> the files of its row. */
const documented = new Map(
  [...text.matchAll(/^\| (G\d+) \| [^|]+ \| ([^|]+) \|$/gm)].map(([, name = '', files = '']) => [
    name,
    [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
  ]),
);

/** Property -> the files with a test of that name. */
const tested = new Map<string, string[]>();
for (const { path, text: source } of sourceFiles(isTest)) {
  const named = [...source.matchAll(/'(G\d+): /g)].map(([, name = '']) => name);
  for (const name of new Set(named)) tested.set(name, [...(tested.get(name) ?? []), path]);
}

test('PROTOCOL 1 lists G1 to G11, each once', () => {
  expect([...documented.keys()]).toEqual(PROPERTIES);
});

test.each(PROPERTIES)('the tests named %s are those that PROTOCOL 1 names', (property) => {
  expect(tested.get(property)?.toSorted()).toEqual(documented.get(property)?.toSorted());
});
