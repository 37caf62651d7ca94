// From a schema's verdict to problems that a person can act on: where the value stands, what it is,
// what was expected, and for a key that is not known the one that was probably meant.
import { z } from 'zod';
import type { ErrorCode } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Path, Problem } from './source.ts';
import { didYouMean } from './suggest.ts';

/** Where the values that a schema judged came from. */
export interface Origin {
  readonly value: unknown;
  at(path: Path): string;
  atKey(path: Path): string;
}

/** Every issue of a failed parse as a problem, without repeating one. */
export function problemsIn(error: z.ZodError, schema: z.ZodType, origin: Origin): Problem[] {
  const problems = new Map<string, Problem>();
  const add = (path: Path, at: string, text: string): void => {
    const dotted = path.map(String).join('.');
    problems.set(`${dotted}: ${text}`, { at, path: dotted, text });
  };
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path);
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        add(
          path,
          origin.atKey(path),
          `is not known here${didYouMean(key, known) || allKnown(known)}`,
        );
      }
    } else {
      const value = valueAt(origin.value, issue.path);
      const is = value === undefined ? 'is missing' : `is ${shown(value)}`;
      add(issue.path, origin.at(issue.path), `${is}; ${issue.message}`);
    }
  }
  return [...problems.values()];
}

/** For a key that is like none of those that may stand there. */
const allKnown = (names: readonly string[]): string =>
  names.length === 0 ? '' : `; must be one of ${names.join(', ')}`;

/**
 * All problems as one error.
 * The message has one line for each, `place: path: text`.
 */
export function problemsError(
  code: ErrorCode,
  init: { readonly op: string; readonly what: string; readonly hint: string },
  problems: readonly Problem[],
): TidelockError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const shownProblems = problems.slice(0, MAX_SHOWN).map((p) => `\n  ${problemText(p)}`);
  const more = problems.length - shownProblems.length;
  return new TidelockError(code, {
    op: init.op,
    message: `Cannot use ${init.what}: ${count}${shownProblems.join('')}${more > 0 ? `\n  and ${more} more` : ''}`,
    hint: init.hint,
  });
}

/** `place: path text`, on one line. */
export const problemText = (problem: Problem): string =>
  `${problem.at}: ${problem.path === '' ? '' : `${problem.path} `}${problem.text}`;

const MAX_SHOWN = 50;
const MAX_SHOWN_CHARS = 80;

/** A value inside a message: one line, short, and without the password of a URL. */
function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/\/\/[^/@\s"]*@/g, '//[redacted]@');
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}...` : text;
}

function valueAt(top: unknown, path: Path): unknown {
  let value = top;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function keysAt(schema: z.ZodType, path: Path): string[] {
  let here: unknown = schema;
  for (const key of path) here = childOf(bare(here), key);
  const inner = bare(here);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function childOf(schema: unknown, key: PropertyKey): unknown {
  if (schema instanceof z.ZodObject) return schema.shape[String(key)];
  if (schema instanceof z.ZodArray) return schema.element;
  return undefined;
}

/** The schema inside `optional`, `default`, `prefault`, `preprocess` and before `transform`. */
export function bare(schema: unknown): unknown {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return bare(schema.unwrap());
  }
  if (!(schema instanceof z.ZodPipe)) return schema;
  return bare(schema.out instanceof z.ZodTransform ? schema.in : schema.out);
}
