// The error catalogue in both directions: docs/errors.md says what agent/base/codes.ts does, and
// every code is raised somewhere.
import { expect, test } from 'vitest';
import { CODES, EXIT } from '#agent/base/codes.ts';
import { isProduct, sourceFiles } from './sources.ts';

interface Row {
  readonly code: string;
  readonly exit: number;
  readonly retryable: boolean;
  readonly cause: string;
  readonly remedy: string;
}

const markdown = sourceFiles((path) => path === 'docs/errors.md')[0]?.text ?? '';

/** Rows of the catalogue: those whose first cell is a code. */
const rows = [...markdown.matchAll(/^\| *([A-Z][A-Z0-9_]+) *\|(.*)\|$/gm)].map(
  ([line, code = '', rest = '']): Row => {
    const cells = rest.split('|').map((cell) => cell.trim());
    expect(cells, line).toHaveLength(4);
    const [exit = '', retryable = '', cause = '', remedy = ''] = cells;
    expect(['yes', 'no'], line).toContain(retryable);
    return { code, exit: Number(exit), retryable: retryable === 'yes', cause, remedy };
  },
);

test('docs/errors.md lists every code of CODES once, and no other', () => {
  const documented = rows.map(({ code }) => code);
  expect(new Set(documented).size).toBe(documented.length);
  expect(new Set(documented)).toEqual(new Set(Object.keys(CODES)));
});

test('docs/errors.md gives the exit code and the retryable flag of CODES', () => {
  const documented = Object.fromEntries(
    rows.map(({ code, exit, retryable }) => [code, { exit, retryable }]),
  );
  expect(documented).toEqual(CODES);
});

test('docs/errors.md gives a cause and a remedy for each code', () => {
  for (const { code, cause, remedy } of rows) {
    expect(cause.length, `cause of ${code}`).toBeGreaterThan(15);
    expect(remedy.length, `remedy of ${code}`).toBeGreaterThan(15);
  }
});

test('docs/errors.md explains every exit code', () => {
  const explained = [...markdown.matchAll(/^\| (\d) \| \w/gm)].map(([, exit]) => Number(exit));
  expect(new Set(explained)).toEqual(new Set<number>(Object.values(EXIT)));
});

test('CODES holds no code that nothing raises', () => {
  const source = sourceFiles(
    (path) =>
      (isProduct(path) && path !== 'agent/base/codes.ts') ||
      path === 'setup.js' ||
      path.startsWith('hwtest/setup/'),
  )
    .map(({ text }) => text)
    .join('\n');
  const silent = Object.keys(CODES).filter((code) => !source.includes(`'${code}'`));
  expect(silent).toEqual([]);
});

test('setup.js raises only codes of CODES, with their exit codes', () => {
  const files = sourceFiles((path) => path === 'setup.js' || /^hwtest\/setup\/\w+\.js$/.test(path));
  const raised = files.flatMap(({ text }) => [
    ...text.matchAll(/'(SETUP_[A-Z]+|ROOT_REQUIRED|USAGE)'/g),
  ]);
  const exits: Readonly<Record<string, number>> = { USAGE: 2, SETUP_FAILED: 1 };
  expect(raised.length).toBeGreaterThan(5);
  for (const [, code = ''] of raised) {
    expect(CODES, code).toHaveProperty(code);
    expect(CODES[code as keyof typeof CODES].exit, code).toBe(exits[code] ?? 6);
  }
});
