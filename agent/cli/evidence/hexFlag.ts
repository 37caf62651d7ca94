// The value of a flag that takes bytes in hex: a nonce, a digest.
import { fromHex } from '#agent/base/bytes.ts';
import { usage } from '#agent/cli/arguments.ts';

const MAX_BYTES = 1024;

/**
 * The bytes that `text`, the value of `--flag`, spells, after 0x or not: exactly `lenBytes`, or 1 to 1,024.
 * Errors: USAGE, naming `verb`.
 */
export function hexFlag(verb: string, flag: string, text: string, lenBytes?: number): Buffer {
  const digits = text.replace(/^0x/i, '');
  const bytes = /^(?:[0-9a-f]{2})*$/i.test(digits) ? fromHex(digits) : Buffer.alloc(0);
  const fits = lenBytes === undefined ? bytes.length <= MAX_BYTES : bytes.length === lenBytes;
  if (bytes.length > 0 && fits) return bytes;
  const wanted = lenBytes === undefined ? `1 to ${MAX_BYTES}` : String(lenBytes);
  throw usage(
    verb,
    `--${flag} is ${JSON.stringify(text.slice(0, 80))} and must be ${wanted} bytes in hex`,
  );
}
