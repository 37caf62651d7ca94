// The form of a test vector and of a file of them (PROTOCOL 13). Derives nothing.
import { hex } from '#agent/base/bytes.ts';

/** What a member may be: bytes become hex. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value | undefined };

export type Members = { readonly [name: string]: Value | undefined };

/** One thing to compute, and what must come of it. */
export interface Vector {
  readonly name: string;
  /** Which computation of the table in PROTOCOL 13. */
  readonly compute: string;
  readonly given: Members;
  readonly expect?: Members;
  /** The section of PROTOCOL that refuses what is given; in place of `expect`. */
  readonly refused?: string;
}

/** The text of a file of vectors, ending with a newline. */
export const vectorText = (vectors: readonly Vector[]): string =>
  `${JSON.stringify({ protocol: 1, vectors: vectors.map((vector) => plain({ ...vector })) }, null, 2)}\n`;

function plain(value: Value | undefined): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}
