// JSON text from outside, bounded before it is parsed, and whether it is in the canonical form (RFC 8785)
// in which what is signed stands: then no byte of it can change unseen.
import type { Bytes } from '#agent/base/bytes.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';

/** A report nests eight deep; whatever nests deeper is no report. */
const MAX_DEPTH = 16;

export type BoundedJson =
  /** `value` is what the bytes say; they may say it in another form than the canonical one. */
  { readonly value: Json } | { readonly why: string };

/** The JSON that `bytes` hold, or why they hold none. Never throws. */
export function readBounded(bytes: Bytes, maxBytes: number): BoundedJson {
  if (bytes.length > maxBytes) return { why: `over ${maxBytes} bytes` };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  if (depthOf(text) > MAX_DEPTH) return { why: `nested over ${MAX_DEPTH} deep` };
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return { why: 'not JSON, or cut short' };
  }
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
const OPEN: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSE: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** How deep brackets nest outside strings; JSON or not. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) inString = !inString;
    else if (inString && code === ESCAPE) i += 1;
    else if (!inString && OPEN.has(code)) deepest = Math.max(deepest, (depth += 1));
    else if (!inString && CLOSE.has(code)) depth -= 1;
  }
  return deepest;
}
