// The log's events in both directions: docs/logs.md lists what the code writes, and nothing else.
import { expect, test } from 'vitest';
import { CLOSES } from '#proxy/counters.ts';
import { isProduct, sourceFiles } from './sources.ts';

/** A call of the log: `log.info('a.b'`, `log[level]('a.b'`, `log('warn', 'a.b'`. */
const CALL =
  /\b[lL]og(?:\.(debug|info|warn|error)|\[[^\]]+\])?\(\s*(?:'(debug|info|warn|error)',\s*)?['`]((?:[\w-]|\$\{\w+\})+\.[\w-]+)['`]/g;

/** What a name that is made of parts can be. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  '${what}.refused': ['presence.refused', 'directory.refused'],
};

const product = sourceFiles((path) => isProduct(path) && !path.startsWith('hwtest/'));
const markdown = sourceFiles((path) => path === 'docs/logs.md')[0]?.text ?? '';

/** Each event that is written, with its level where the call names one. */
const calls = product.flatMap(({ text }) =>
  [...text.matchAll(CALL)].flatMap(([, method, argument, name = '']) =>
    (MADE[name] ?? [name]).map((event) => ({ event, level: method ?? argument })),
  ),
);
const written = new Set(calls.map(({ event }) => event));
const rows = [...markdown.matchAll(/^\| ([a-z]+\.[\w-]+) +\| ([a-z ]+?) +\| (.+?) +\|$/gm)];

test('docs/logs.md lists every event that is written once, and no other', () => {
  expect(written.size).toBeGreaterThan(30); // else the scan itself is broken
  const documented = rows.map(([, name]) => name);
  expect(new Set(documented).size).toBe(documented.length);
  expect(new Set(documented)).toEqual(written);
});

test('docs/logs.md gives a level and a meaning to each event', () => {
  for (const [, name, level = '', meaning = ''] of rows) {
    expect(level, name).toMatch(/^(debug|info|warn|error)( or (debug|info|warn|error))?$/);
    expect(meaning.length, name).toBeGreaterThan(15);
    for (const call of calls) {
      if (call.event === name && call.level)
        expect(level.split(' or '), name).toContain(call.level);
    }
  }
});

test('every event is written by a call that this gate understands', () => {
  const names = product.flatMap(({ path, text }) =>
    [...text.matchAll(/\blog(?:\.(?:debug|info|warn|error))\(([^)\n]{0,40})/g)]
      .filter(([call]) => !call.match(new RegExp(CALL.source)))
      .map(([call]) => `${path}: ${call}`),
  );
  expect(names).toEqual([]);
});

test('docs/logs.md explains every close reason once, and no other', () => {
  const section = markdown.slice(markdown.indexOf('| close reason'), markdown.indexOf('## Events'));
  const explained = [...section.matchAll(/^\| ([a-z-]+) +\| .{10,}\|$/gm)].map(([, name]) => name);
  expect(explained).toHaveLength(CLOSES.length);
  expect(new Set(explained)).toEqual(new Set<string>(CLOSES));
});
