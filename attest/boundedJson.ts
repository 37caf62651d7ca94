// JSON text from outside, bounded before it is parsed, and whether it is in the canonical form (RFC 8785)
// in which what is signed stands: then no byte of it can change unseen.
import type { Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { parseAs } from '#agent/base/schema.ts';
import type { z } from 'zod';

/** Reports nest eight deep and policies nine; whatever nests deeper is neither. */
const MAX_DEPTH = 16;

export type BoundedJson =
  /** `value` is what the bytes say; they may say it in another form than the canonical one. */
  { readonly value: Json } | { readonly why: string };

/** The JSON that `bytes` hold, or why they hold none. Never throws. */
export function readBounded(bytes: Bytes, maxBytes: number): BoundedJson {
  if (bytes.length > maxBytes) return { why: `over ${maxBytes} bytes` };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const { depth, members } = shapeOf(text);
  if (depth > MAX_DEPTH) return { why: `nested over ${MAX_DEPTH} deep` };
  try {
    const value = JSON.parse(text) as Json;
    return membersIn(value) === members
      ? { value }
      : { why: 'ambiguous: a member stands twice in one object' };
  } catch {
    return { why: 'not JSON, or cut short' };
  }
}

/** Of a policy, one with many golden boots among them. */
export const MAX_POLICY_BYTES = 8 << 20;

/** A policy in JSON as `schema` has it. Errors: `failure.code`, with every problem. */
export function parsePolicy<T>(
  schema: z.ZodType<T>,
  bytes: Bytes,
  failure: Parameters<typeof parseAs>[2],
): T {
  const json = readBounded(bytes, MAX_POLICY_BYTES);
  if ('value' in json) return parseAs(schema, json.value, failure);
  const { code, op, what, hint } = failure;
  throw new TidelockError(code, { op, message: `Cannot read ${what}: it is ${json.why}`, hint });
}

/**
 * Whether `bytes` are exactly the canonical form of `value`. Bytes are compared, because what is not
 * UTF-8, stands twice or is spelt otherwise is no longer there in the value.
 */
export function isCanonical(bytes: Bytes, value: Json): boolean {
  try {
    return Buffer.from(jcs(value)).equals(bytes);
  } catch {
    return false; // a lone surrogate, which JCS cannot carry
  }
}

const QUOTE = 0x22;
const ESCAPE = 0x5c;
const COLON = 0x3a;
const OPEN: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSE: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** How deep brackets nest, and how many colons stand, outside strings; JSON or not. */
function shapeOf(text: string): { readonly depth: number; readonly members: number } {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) inString = !inString;
    else if (inString && code === ESCAPE) i += 1;
    else if (!inString && OPEN.has(code)) deepest = Math.max(deepest, (depth += 1));
    else if (!inString && CLOSE.has(code)) depth -= 1;
    else if (!inString && code === COLON) members += 1;
  }
  return { depth: deepest, members };
}

/** How many members the objects in `value` have: fewer than were written where a name stood twice. */
function membersIn(value: Json | undefined): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside: readonly (Json | undefined)[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : inside.length;
  return inside.reduce<number>((sum, each) => sum + membersIn(each), own);
}
