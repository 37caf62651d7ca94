// The notation of PROTOCOL before its section 2: concatenation, big-endian integers, fields, T(n, x),
// hex and base64url; and a cursor that takes them apart again. It knows no message.
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { refuse } from './refused.ts';

/** Text as UTF-8 bytes. */
export const text = utf8ToBytes;
/** Bytes as lower-case hex. */
export const hex = bytesToHex;
/** Hex, of even length, as bytes. */
export const unhex = hexToBytes;

/** `||`: the parts one after another; a string stands for its bytes. */
export const join = (...parts: readonly (Uint8Array | string)[]): Uint8Array =>
  concatBytes(...parts.map((part) => (typeof part === 'string' ? text(part) : part)));

/** `uintN` for N = 8 * lenBytes. */
export function uint(lenBytes: number, value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * lenBytes)) {
    throw new RangeError(`${value} is no integer of ${lenBytes} bytes`);
  }
  return unhex(value.toString(16).padStart(2 * lenBytes, '0'));
}

/** `field(x)`: uint16 of the length, and x. */
export function field(x: Uint8Array | string): Uint8Array {
  const bytes = join(x);
  return join(uint(2, bytes.length), bytes);
}

/** `T(n, x)`: the first n bytes of x. */
export const truncate = (n: number, x: Uint8Array): Uint8Array => x.slice(0, n);

/** Bitwise xor of two strings of one length. */
export const xor = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a.map((byte, at) => byte ^ (b[at] ?? 0));

/** Whether two strings of bytes are the same. */
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Base64url without padding (RFC 4648 5). */
export const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** The bytes of base64url without padding; what is not written so is refused under `section`. */
export function unbase64url(section: string, written: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(written, 'base64url'));
  return base64url(bytes) === written ? bytes : refuse(section, 'base64url is written otherwise');
}

/** Takes a message apart from its beginning; what ends too early is refused under its section. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #section: string;
  #at = 0;

  constructor(bytes: Uint8Array, section: string) {
    this.#bytes = bytes;
    this.#section = section;
  }

  /** The next n bytes. */
  take(n: number): Uint8Array {
    if (this.#at + n > this.#bytes.length) refuse(this.#section, 'it ends too early');
    this.#at += n;
    return this.#bytes.slice(this.#at - n, this.#at);
  }

  /** The next integer of that many bytes; one of 2^53 or more is refused. */
  uint(lenBytes: number): number {
    const value = Number(`0x${hex(this.take(lenBytes))}`);
    return Number.isSafeInteger(value) ? value : refuse(this.#section, 'an integer is too large');
  }

  /** The bytes of the next field. */
  field(): Uint8Array {
    return this.take(this.uint(2));
  }

  /** The next field as text, of at most maxBytes; what is no UTF-8 is refused. */
  text(maxBytes: number): string {
    const bytes = this.field();
    if (bytes.length > maxBytes) refuse(this.#section, 'a text is too long');
    const decoded = new TextDecoder().decode(bytes);
    return same(text(decoded), bytes) ? decoded : refuse(this.#section, 'a text is no UTF-8');
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at);
  }
}
