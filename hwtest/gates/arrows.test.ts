// Which folder may import which (STYLE 6 and 7), and how an import is written.
import { expect, test } from 'vitest';
import { importsOf, isTypeScript, sourceFiles, type ImportOf } from './sources.ts';

/** Folder -> folders it may import from, besides itself. `base` is agent/base, the shared leaf. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  agent: ['base', 'attest', 'probes', 'proxy'],
  attest: ['base'],
  probes: ['base'],
  proxy: ['base'],
  hwtest: ['base', 'agent', 'attest', 'probes', 'proxy', 'daemonset'],
  daemonset: ['base'],
};

/** The demo is a verb of the agent and made of the rig: it loads it when it is asked for. */
const LAZY_EXCEPTION = { from: 'agent/cli/demo.ts', to: '#hwtest/demo/' };

const files = sourceFiles((path) => isTypeScript(path) && path.includes('/'));
const edges = files.flatMap((file) =>
  importsOf(file).map((found) => ({ path: file.path, ...found })),
);

const folderOf = (path: string): string =>
  path.startsWith('agent/base/') ? 'base' : (path.split('/')[0] ?? '');

/** The path from the top that a specifier of ours names, or undefined for a package. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!specifier.startsWith('.')) return undefined;
  return `${path.slice(0, path.lastIndexOf('/'))}/${specifier.slice(2)}`;
}

const describe = (edge: { path: string } & ImportOf): string => `${edge.path} -> ${edge.specifier}`;

test('importsOf() finds every form in which a file names another', () => {
  const text = [
    "import { a, type B, c as d } from './one.ts';",
    "import type { E } from '#agent/two.ts';",
    "import * as f from 'three';",
    "import {\n  g,\n  h,\n} from 'four';",
    "import 'five';",
    "export { i } from './six.ts';",
    "const j = await import('./seven.ts');",
    "new Worker(new URL('./eight.ts', import.meta.url));",
    "import k from 'nine';",
  ].join('\n');
  expect(importsOf({ path: 'x.ts', text })).toEqual([
    { specifier: './one.ts', names: ['a', 'c'], kind: 'static' },
    { specifier: '#agent/two.ts', names: ['E'], kind: 'type' },
    { specifier: 'three', names: ['*'], kind: 'static' },
    { specifier: 'four', names: ['g', 'h'], kind: 'static' },
    { specifier: './six.ts', names: ['i'], kind: 'reexport' },
    { specifier: 'nine', names: ['default'], kind: 'static' },
    { specifier: 'five', names: [], kind: 'static' },
    { specifier: './seven.ts', names: [], kind: 'lazy' },
    { specifier: './eight.ts', names: [], kind: 'lazy' },
  ]);
});

test('imports follow the arrows between folders', () => {
  expect(edges.length).toBeGreaterThan(100); // else the scan itself is broken
  const against = edges.filter((edge) => {
    const target = targetOf(edge.path, edge.specifier);
    if (target === undefined) return false;
    const [from, to] = [folderOf(edge.path), folderOf(target)];
    if (from === to || ARROWS[from]?.includes(to)) return false;
    return !(
      edge.kind === 'lazy' &&
      edge.path === LAZY_EXCEPTION.from &&
      edge.specifier.startsWith(LAZY_EXCEPTION.to)
    );
  });
  expect(against.map(describe)).toEqual([]);
});

test('imports stay in the folder with ./ and leave it through the imports map', () => {
  const against = edges.filter(
    ({ specifier }) =>
      specifier.startsWith('..') ||
      (specifier.startsWith('./') && specifier.slice(2).includes('/')),
  );
  expect(against.map(describe)).toEqual([]);
});

test('imports within a folder of one level use ./ where the target stands beside the file', () => {
  const against = edges.filter(({ path, specifier }) => {
    const target = specifier.startsWith('#') ? specifier.slice(1) : '';
    return target.slice(0, target.lastIndexOf('/')) === path.slice(0, path.lastIndexOf('/'));
  });
  expect(against.map(describe)).toEqual([]);
});

test('modules are no barrels and have no default export', () => {
  const reexports = edges.filter(({ kind }) => kind === 'reexport').map(describe);
  const defaults = files.filter(({ text }) => /^export default\b/m.test(text));
  expect(reexports).toEqual([]);
  expect(defaults.map(({ path }) => path)).toEqual([]);
});
