// Canonical JSON from outside, bounded before it is parsed. Text that is not exactly the canonical form
// of what it says is refused, so that no byte of it can change unseen.
import type { Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { canonical, type Json } from '#agent/base/jcs.ts';

/** A report nests eight deep; whatever nests deeper is no report. */
const MAX_DEPTH = 16;

export type CanonicalJson = { readonly value: Json } | { readonly why: string };

/** The JSON that `bytes` hold in RFC 8785 form, or why they are not that. Never throws. */
export function readCanonical(bytes: Bytes, maxBytes: number): CanonicalJson {
  if (bytes.length > maxBytes) return { why: `over ${maxBytes} bytes` };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  if (depthOf(text) > MAX_DEPTH) return { why: `nested over ${MAX_DEPTH} deep` };
  try {
    const value = JSON.parse(text) as Json;
    // Bytes, because what is not UTF-8 has become U+FFFD in the text.
    if (Buffer.from(canonical(value)).equals(bytes)) return { value };
  } catch (error) {
    return { why: `not JSON: ${messageOf(error)}` };
  }
  return { why: 'not in canonical form (RFC 8785): it was changed or reformatted' };
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
