// The shape of the checkout (STYLE 1, 3 and 12): what stands at the top, how long a file may be, how
// it opens, and that it names nothing of the machine it was written on.
import { expect, test } from 'vitest';
import { isProduct, isTypeScript, sourceFiles, topLevel } from './sources.ts';

const TOP_LEVEL = new Set([
  'agent',
  'probes',
  'attest',
  'proxy',
  'daemonset',
  'hwtest',
  'docs',
  '.ci',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'Dockerfile',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'setup.js',
  'vitest.config.ts',
  'knip.json',
  '.dockerignore',
  '.editorconfig',
  '.gitignore',
  '.npmrc',
  '.oxfmtrc.json',
  '.oxlintrc.json',
]);

const MAX_LINES = 400;

const all = sourceFiles((path) => !/\.(png|svg|der|bin)$/.test(path));
const paths = (files: readonly { readonly path: string }[]): string[] =>
  files.map(({ path }) => path);

const lines = (text: string): number => text.split('\n').length - 1;

test('the top level is the fixed one', () => {
  expect(all.length).toBeGreaterThan(100); // else the scan itself is broken
  expect(topLevel().filter((name) => !TOP_LEVEL.has(name))).toEqual([]);
});

test('no source file is longer than 400 lines', () => {
  const long = all.filter(({ path, text }) => /\.[jt]s$/.test(path) && lines(text) > MAX_LINES);
  expect(long.map(({ path, text }) => `${path}: ${lines(text)}`)).toEqual([]);
});

test('every source file opens by saying what it owns', () => {
  const silent = all.filter(({ path, text }) => {
    const head = /^(?:#!.*\n)?((?:\/\/.*\n)*)/.exec(text)?.[1] ?? '';
    const count = head.split('\n').length - 1;
    return isProduct(path) && path.includes('/') && (count < 1 || count > 12);
  });
  expect(paths(silent)).toEqual([]);
});

test('no file names a path of the machine it was written on', () => {
  const machine = /(?<![\w.])\/(?:work|Users|home\/[a-z]|root\/[a-z.])/;
  expect(paths(all.filter(({ text }) => machine.test(text)))).toEqual([]);
});

test('no file names a registry host', () => {
  const host =
    /(?:registry|unpkg|npmjs|ghcr|quay|docker|gcr|jsdelivr)\.(?:[a-z0-9-]+\.)*(?:com|org|io|net|dev)\b/;
  expect(paths(all.filter(({ text }) => host.test(text)))).toEqual([]);
});

test('no source file silences the compiler or the linter', () => {
  const silenced = /@ts-(?:ignore|nocheck|expect-error)|(?:oxlint|eslint)-disable/;
  const found = all.filter(
    ({ path, text }) =>
      isTypeScript(path) && !path.startsWith('hwtest/gates/') && silenced.test(text),
  );
  expect(paths(found)).toEqual([]);
});

test('casts through unknown stand only at native boundaries', () => {
  const found = all.filter(
    ({ path, text }) =>
      isProduct(path) && !path.startsWith('proxy/native/') && / as unknown as /.test(text),
  );
  expect(paths(found)).toEqual([]);
});
