// Where configuration comes from: a YAML file, then environment variables, then flags, the later
// over the earlier. It merges them into one raw value that remembers the origin of each setting, and
// judges nothing but whether an environment variable is one at all.
import { resolve } from 'node:path';
import { z } from 'zod';
import { isPath } from './configFields.ts';
import { bare } from '#agent/yaml/problems.ts';
import type { Path, Problem, YamlDocument } from '#agent/yaml/source.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';

/** A setting that one environment variable can hold. */
export interface Leaf {
  readonly path: readonly string[];
  /** `TIDELOCK_` and the path in capitals: `epochs.periodMs` is TIDELOCK_EPOCHS_PERIOD_MS. */
  readonly variable: string;
  readonly kind: 'text' | 'number' | 'list';
  /** Relative paths are resolved against the folder of their origin. */
  readonly isPath: boolean;
}

/** A value for one setting from outside the file. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** As shown to people: the variable's or the flag's name. */
  readonly origin: string;
}

/** Every setting of `schema` that is a text, a number or a list of texts. */
export function leavesOf(schema: z.ZodType, path: readonly string[] = []): Leaf[] {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, child]) =>
      leavesOf(child as z.ZodType, [...path, key]),
    );
  }
  const element = inner instanceof z.ZodArray ? inner.element : inner;
  const kind =
    inner instanceof z.ZodArray ? 'list' : inner instanceof z.ZodNumber ? 'number' : 'text';
  const variable = `TIDELOCK_${path.map(capitals).join('_')}`;
  return [{ path, variable, kind, isPath: element instanceof z.ZodString && isPath(element) }];
}

const capitals = (key: string): string => key.replace(/[A-Z]/g, '_$&').toUpperCase();

/** What setup.js tells the program it starts; not a setting. */
const PARENT_PID = 'TIDELOCK_PARENT_PID';
/** What `hwtest/ci/rig up` tells a pipeline; not settings either. */
const RIG_PREFIX = 'TIDELOCK_RIG_';
/** What Kubernetes puts into a pod for a Service whose name begins with `tidelock`. */
const SERVICE_LINK =
  /_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** The settings in `env`, and a problem for every TIDELOCK_ variable that is none. */
export function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  leaves: readonly Leaf[],
  cwd: string,
): { readonly overrides: readonly Override[]; readonly problems: readonly Problem[] } {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('TIDELOCK_') || text === undefined || name === PARENT_PID) continue;
    if (name.startsWith(RIG_PREFIX)) continue;
    const leaf = leaves.find((candidate) => candidate.variable === name);
    if (leaf) {
      overrides.push({ path: leaf.path, value: valueOf(leaf, text, cwd), origin: name });
    } else if (!SERVICE_LINK.test(name)) {
      const near = didYouMean(
        name,
        leaves.map((l) => l.variable),
      );
      problems.push({ at: name, path: '', text: `is not a setting${near}` });
    }
  }
  return { overrides, problems };
}

function valueOf(leaf: Leaf, text: string, cwd: string): unknown {
  const place = (part: string): string => (leaf.isPath && part !== '' ? resolve(cwd, part) : part);
  if (leaf.kind === 'list') return text.split(',').map((part) => place(part.trim()));
  if (leaf.kind === 'text') return place(text);
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number; // the schema says what is wrong
}

/** The merged settings, ready for the schema. */
export interface Merged {
  readonly value: unknown;
  at(path: Path): string;
  atKey(path: Path): string;
}

/** `document` with `overrides` laid over it; the last override of a setting counts. */
export function merge(document: YamlDocument, overrides: readonly Override[]): Merged {
  const value: unknown = structuredClone(document.value ?? {});
  for (const override of overrides) put(value, override.path, override.value);
  const overriding = (path: Path): string | undefined =>
    overrides.findLast((o) => o.path.every((key, depth) => path[depth] === key))?.origin;
  return {
    value,
    at: (path) => overriding(path) ?? document.at(path),
    atKey: (path) => overriding(path) ?? document.atKey(path),
  };
}

function put(top: unknown, path: readonly string[], value: unknown): void {
  let here = top;
  for (const [depth, key] of path.entries()) {
    if (typeof here !== 'object' || here === null) return; // not a section: the schema says so
    const section = here as Record<string, unknown>;
    if (depth === path.length - 1) section[key] = value;
    else here = section[key] ??= {};
  }
}
