// JSON that Intel signed: its signature is over the very characters, so they are cut out of what carries
// them and never written again. What the text says is read only from those characters.
import { fromHex } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { z } from 'zod';

export interface SignedText {
  readonly text: string;
  /** Raw r || s, 64 bytes. */
  readonly signature: Buffer;
}

/** Hex of `lenBytes` bytes, in lower case whatever it came in. */
export const hexText = (lenBytes: number): z.ZodType<string> =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${lenBytes * 2}}$`), `must be ${lenBytes * 2} hex digits`)
    .toLowerCase();

/** A date of Intel's, as Unix milliseconds. */
export const dateText = z
  .string()
  .max(40)
  .transform((text) => Date.parse(text))
  .refine((ms) => Number.isFinite(ms), 'must be a date');

const signature = hexText(64);

/** Errors: EVIDENCE_MALFORMED, naming `what`. */
export function signedText(text: string, signatureHex: unknown, what: string): SignedText {
  const read = signature.safeParse(signatureHex);
  if (!read.success) throw malformed(what, 'its signature is not 128 hex digits');
  return { text, signature: fromHex(read.data) };
}

/** Parsed JSON. Errors: EVIDENCE_MALFORMED, naming `what`. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(what, 'it is no JSON', cause);
  }
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/** The characters of member `name` of the object that `json`, which is valid JSON, is; undefined if none. */
export function memberText(json: string, name: string): string | undefined {
  const wanted = JSON.stringify(name);
  let depth = 0;
  let start: number | undefined;
  let before = '';
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    if (start !== undefined && depth === 1 && (token === ',' || token === '}')) {
      return json.slice(start, index).trim();
    }
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    if (depth === 1 && token === ':' && before === wanted) start ??= index + 1;
    before = token;
  }
  return undefined;
}
