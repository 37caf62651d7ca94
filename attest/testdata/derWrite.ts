// Writes the DER of certificates that tests make for themselves (X.690). Nothing of the product
// imports it: the product reads DER, and keeps it as it came.
import { concat, fromHex, utf8, type Bytes } from '#agent/base/bytes.ts';

/** An element of any tag: its length, then `contents` one after another. */
export function der(tag: number, ...contents: readonly Bytes[]): Buffer {
  const content = concat(...contents);
  const size = content.length;
  if (size < 0x80) return concat(Uint8Array.of(tag, size), content);
  const sizeBytes = fromHex(evenHex(size.toString(16)));
  return concat(Uint8Array.of(tag, 0x80 | sizeBytes.length), sizeBytes, content);
}

export const derSequence = (...elements: readonly Bytes[]): Buffer => der(0x30, ...elements);
export const derSet = (...elements: readonly Bytes[]): Buffer => der(0x31, ...elements);
export const derOctets = (content: Bytes): Buffer => der(0x04, content);
export const derBits = (content: Bytes): Buffer => der(0x03, Uint8Array.of(0), content);
export const derBoolean = (value: boolean): Buffer => der(0x01, Uint8Array.of(value ? 0xff : 0));
export const derIa5 = (text: string): Buffer => der(0x16, utf8(text));
export const derUtf8 = (text: string): Buffer => der(0x0c, utf8(text));
/** [n] EXPLICIT. */
export const derContext = (n: number, ...elements: readonly Bytes[]): Buffer =>
  der(0xa0 | n, ...elements);

/** A non-negative INTEGER. */
export function derInteger(value: number | bigint): Buffer {
  const magnitude = fromHex(evenHex(value.toString(16)));
  const negative = (magnitude[0] ?? 0) >= 0x80;
  return der(0x02, Uint8Array.of(...(negative ? [0] : [])), magnitude);
}

/** Whole seconds, as UTCTime below the year 2050 and GeneralizedTime from then on (RFC 5280 4.1.2.5). */
export function derTime(atMs: number): Buffer {
  const iso = new Date(atMs).toISOString();
  const digits = iso.slice(0, 19).replaceAll(/\D/g, '');
  return digits < '2050' ? der(0x17, utf8(`${digits.slice(2)}Z`)) : der(0x18, utf8(`${digits}Z`));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

function base128(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    octets.unshift(0x80 | (rest % 128));
  }
  return octets;
}

const evenHex = (digits: string): string => (digits.length % 2 === 0 ? digits : `0${digits}`);
