// Holds what we say against what is true, member by member. Pure.
import { isDeepStrictEqual } from 'node:util';

/** One sentence a difference; none: we agree. */
export type Differences = string[];

const SHOWN = 100;

/** What differs between `ours` and `truth` in the members that `truth` has. */
export const differences = (
  ours: Readonly<Record<string, unknown>>,
  truth: Readonly<Record<string, unknown>>,
): Differences =>
  Object.entries(truth)
    .filter(([name, value]) => !isDeepStrictEqual(ours[name], value))
    .map(([name, value]) => `${name} is ${text(ours[name])}, should be ${text(value)}`);

const text = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, SHOWN);

/** The member `name` of what may be no object at all. */
export const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** The members of an object; none of anything else. */
export const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
