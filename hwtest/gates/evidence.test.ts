// docs/evidence.md and the pages below it: they name every verb, every finding code, and tests that are
// there.
import { expect, test } from 'vitest';
import { VERBS } from '#agent/cli/verbs.ts';
import { isProduct, isTest, sourceFiles } from './sources.ts';

const pages = sourceFiles((path) => /^docs\/evidence(?:\.md|\/.*\.md)$/.test(path));
const index = pages.find(({ path }) => path === 'docs/evidence.md')?.text ?? '';
const all = pages.map(({ text }) => text).join('\n');

/** A finding code as the product writes it; event types and error codes look alike. */
const CODE = /'((?!EV_|EVIDENCE_)[A-Z]+(?:_[A-Z]+)+|VIOLATION|PADDING|EXPIRED|DUPLICATE)'/g;

test('docs/evidence.md links a page for every verb about evidence', () => {
  const verbs = VERBS.map(({ name }) => name).filter((name) => name.startsWith('evidence '));
  expect(verbs.length).toBeGreaterThan(8); // else the scan itself is broken
  for (const verb of verbs) {
    expect(index, verb).toContain(`tidelock ${verb}`);
    const page = `docs/evidence/${verb.slice('evidence '.length)}.md`;
    expect(
      pages.map(({ path }) => path),
      verb,
    ).toContain(page);
  }
});

test('the pages of evidence list every finding code', () => {
  const product = sourceFiles(
    (path) => isProduct(path) && /^attest\/(eventlog|ima|roots)\//.test(path),
  );
  const codes = product.flatMap(({ text }) =>
    [...text.matchAll(CODE)].map(([, code = '']) => code),
  );
  expect(new Set(codes).size).toBeGreaterThan(40);
  expect(codes.filter((code) => !all.includes(code))).toEqual([]);
});

test('every test that docs/evidence.md names is there', () => {
  const tests = sourceFiles(isTest)
    .map(({ text }) => text)
    .join('\n');
  const section = index.slice(index.indexOf('## Traps'));
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const named = rows.flatMap((row) => [...(row.split(' | ').at(-1) ?? '').matchAll(/`([^`]+)`/g)]);
  const names = named.map(([, name = '']) => name).filter((name) => name.includes(' '));
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !tests.includes(name) && !name.startsWith('npm '))).toEqual([]);
});

test('docs/evidence.md has a row with a test for each of the ten traps', () => {
  for (let trap = 1; trap <= 10; trap += 1) {
    expect(index, `trap ${trap}`).toMatch(
      new RegExp(`^\\| ${trap} \\| .+ \\| .*\`.+\`.*\\|$`, 'm'),
    );
  }
});
