// The files of the checkout as the gates see them: every text file that is ours, with its imports.
// It reads the tree itself, so that a file is judged before it is known to git.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One of our files: `path` from the top of the checkout, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One import, export-from, dynamic import or worker URL of a file. */
export interface ImportOf {
  readonly specifier: string;
  /** Imported names; `*` for a namespace, `default` for a default import; empty for lazy ones. */
  readonly names: readonly string[];
  readonly kind: 'static' | 'type' | 'reexport' | 'lazy';
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is not ours or is made by running. */
const NOT_OURS = new Set(['node_modules', '.git', 'tidelock-demo', 'dist', 'coverage']);

/** Names at the top of the checkout, without what is not ours. */
export const topLevel = (): string[] => readdirSync(ROOT).filter((name) => !NOT_OURS.has(name));

/** Every file of ours whose path passes `wanted`. */
export function sourceFiles(wanted: (path: string) => boolean): SourceFile[] {
  return topLevel()
    .flatMap((name) => walk(name))
    .filter(wanted)
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

function walk(path: string): string[] {
  try {
    return readdirSync(join(ROOT, path), { withFileTypes: true })
      .filter((entry) => !NOT_OURS.has(entry.name))
      .flatMap((entry) =>
        entry.isDirectory() ? walk(`${path}/${entry.name}`) : [`${path}/${entry.name}`],
      );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path];
    throw error;
  }
}

/** TypeScript files outside tests. */
export const isProduct = (path: string): boolean => isTypeScript(path) && !isTest(path);
export const isTypeScript = (path: string): boolean => path.endsWith('.ts');
export const isTest = (path: string): boolean => path.endsWith('.test.ts');

const STATIC = /^(import|export)\b([^;'"`]*?)\bfrom\s*'([^']+)'/gm;
const BARE = /^import\s*'([^']+)'/gm;
const LAZY = /\bimport\(\s*'([^']+)'|\bnew URL\(\s*'([^']+\.[jt]s)'/g;

/** Every way in which a formatted TypeScript file names another module. */
export function importsOf({ text }: SourceFile): ImportOf[] {
  const statics = [...text.matchAll(STATIC)].map(
    ([, word = '', clause = '', specifier = '']): ImportOf => ({
      specifier,
      names: namesOf(clause),
      kind: word === 'export' ? 'reexport' : /^\s*type\b/.test(clause) ? 'type' : 'static',
    }),
  );
  const bare = [...text.matchAll(BARE)].map(([, specifier = '']): ImportOf => ({
    specifier,
    names: [],
    kind: 'static',
  }));
  const lazy = [...text.matchAll(LAZY)].map(([, imported, url]): ImportOf => ({
    specifier: imported ?? url ?? '',
    names: [],
    kind: 'lazy',
  }));
  return [...statics, ...bare, ...lazy];
}

/** Names in an import clause; type-only names are left out, since they are erased. */
function namesOf(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)?.[1] ?? '';
  const named = braces
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(/\s+as\s+/)[0] ?? name);
  const rest = clause
    .replace(/\{[^}]*\}/, '')
    .replaceAll(',', ' ')
    .trim();
  if (/\*\s+as\b/.test(rest)) return [...named, '*'];
  return rest === '' || rest.startsWith('type') ? named : [...named, 'default'];
}
