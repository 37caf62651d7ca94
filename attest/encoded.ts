// Binary evidence that was handed over as it travels in text or compressed. It is recognized, so that an
// error can say what to do; nobody guesses by decoding it.
import type { Bytes } from '#agent/base/bytes.ts';

/** Shorter text is as likely something else; of more than this the rest will be alike. */
const MIN_CHARACTERS = 16;
const MAX_BYTES = 64 << 10;
const HEX = /^[0-9a-f]+$/i;
const BASE64 = /^[\w+/-]+={0,2}$/;
const GZIP = [0x1f, 0x8b, 0x08]; // RFC 1952 2.3.1, deflate

/** What `bytes` are as a whole, and as far as their first 64 KiB tell; undefined when none of these. */
export function encodingOf(bytes: Bytes): 'gzip' | 'hex' | 'base64' | undefined {
  if (GZIP.every((byte, index) => bytes[index] === byte)) return 'gzip';
  const text = Buffer.from(bytes.subarray(0, MAX_BYTES)).toString('latin1');
  const characters = text.replaceAll(/\r?\n/g, '').trim(); // PEM has blanks in its first line
  if (characters.length < MIN_CHARACTERS) return undefined;
  if (HEX.test(characters)) return 'hex';
  return BASE64.test(characters) ? 'base64' : undefined;
}
