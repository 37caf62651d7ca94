// RFC 8785 JSON Canonicalization Scheme. What is signed or hashed anywhere passes through here.
import { utf8 } from './bytes.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/**
 * Canonical UTF-8 bytes of a JSON value (RFC 8785 3.2).
 * Members whose value is `undefined` are left out, as JSON.stringify does.
 * Throws TypeError on what JSON cannot carry: NaN, infinities, lone surrogates.
 */
export const jcs = (value: Json): Uint8Array => utf8(canonical(value));

export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`JCS cannot carry ${value}`);
    return JSON.stringify(value); // ECMAScript number form is the canonical one (3.2.2.3)
  }
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.entries(value as { readonly [key: string]: Json | undefined })
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1)); // UTF-16 code units (3.2.3)
  return `{${members.map(([k, v]) => `${quoted(k)}:${canonical(v)}`).join(',')}}`;
}

function quoted(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('JCS cannot carry a lone surrogate');
  return JSON.stringify(text);
}
