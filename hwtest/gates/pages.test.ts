// What pages say of the tree: a file that a page names is there, and the table of the suites has each of them once.
import { expect, test } from 'vitest';
import { sourceFiles } from './sources.ts';

const SUITES = 'hwtest/suites/';

const all = sourceFiles((path) => !/\.(png|svg|der|bin)$/.test(path));
const known = new Set(all.map(({ path }) => path));
const pages = all.filter(({ path }) => path.endsWith('.md'));
const textOf = (page: string): string => pages.find(({ path }) => path === page)?.text ?? '';

test('a file that a page names is there, from the top or from beside the page', () => {
  const named = pages.flatMap(({ path: page, text }) =>
    [...text.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:[jt]s|md|json|yaml|pml))`/g)].map(
      ([, file = '']) => ({ page, file }),
    ),
  );
  expect(named.length).toBeGreaterThan(100); // else the search itself is broken
  const gone = named.filter(({ page, file }) => {
    const beside = page.replace(/[^/]*$/, file);
    return !known.has(file) && !known.has(beside);
  });
  expect(gone).toEqual([]);
});

test('docs/programs.md names tests, and nothing else, for each thing that a program can rely on', () => {
  const rows = [...textOf('docs/programs.md').matchAll(/^\| \*\*.*\| ([^|]+) \|$/gm)];
  expect(rows.length).toBeGreaterThan(15);
  for (const [row, tests = ''] of rows) {
    const files = tests.split(', ').map((each) => each.replaceAll('`', ''));
    expect(
      files.filter((file) => !file.endsWith('.test.ts') || !known.has(file)),
      row,
    ).toEqual([]);
  }
});

test('the table of the suites has every one of them, once and in order', () => {
  const rows = [...textOf(`${SUITES}README.md`).matchAll(/^\| (\d+-[a-z]+) \| \S/gm)];
  const names = rows.map(([, name = '']) => name);
  const suites = [...known].flatMap(
    (path) => /^hwtest\/suites\/(\d+-[a-z]+)(?:-[a-z]+)?\.hw\.test\.ts$/.exec(path)?.[1] ?? [],
  );
  expect(names).toEqual([...new Set(suites)].sort());
});
