// Byte strings: framing for hash and KDF inputs, text forms, constant-time comparison, wiping.
import { Buffer } from 'node:buffer';
import { hash, timingSafeEqual } from 'node:crypto';

export type Bytes = Uint8Array;

const ascii = new TextEncoder();

/** UTF-8 bytes of a literal or a name. */
export const utf8 = (text: string): Uint8Array => ascii.encode(text);

/** `||` of PROTOCOL. */
export function concat(...parts: readonly Bytes[]): Buffer {
  return Buffer.concat(parts);
}

/** A variable-length field in a hash or KDF input: 2-byte big-endian length, then the bytes. */
export function field(value: Bytes | string): Buffer {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  if (bytes.length > 0xffff) throw new RangeError(`field of ${bytes.length} bytes`);
  return Buffer.concat([u16(bytes.length), bytes]);
}

export function u16(n: number): Buffer {
  const b = Buffer.allocUnsafe(2);
  b.writeUInt16BE(n);
  return b;
}

export function u32(n: number): Buffer {
  const b = Buffer.allocUnsafe(4);
  b.writeUInt32BE(n);
  return b;
}

/** A non-negative safe integer as 8 bytes, big-endian. */
export function u64(n: number): Buffer {
  const b = Buffer.allocUnsafe(8);
  b.writeBigUInt64BE(BigInt(n));
  return b;
}

/** `T(n, x)`: the first n bytes of x. */
export const truncate = (n: number, x: Bytes): Buffer =>
  Buffer.from(x.buffer, x.byteOffset, n <= x.length ? n : x.length);

/** SHA-256 of the concatenation of `parts`. */
export const sha256 = (...parts: readonly Bytes[]): Buffer =>
  hash('sha256', parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), 'buffer');

export const hex = (b: Bytes): string =>
  Buffer.from(b.buffer, b.byteOffset, b.length).toString('hex');
export const fromHex = (s: string): Buffer => Buffer.from(s, 'hex');
export const b64url = (b: Bytes): string =>
  Buffer.from(b.buffer, b.byteOffset, b.length).toString('base64url');
export const fromB64url = (s: string): Buffer => Buffer.from(s, 'base64url');

/** Constant-time equality; lengths are public. */
export const equal = (a: Bytes, b: Bytes): boolean =>
  a.length === b.length && timingSafeEqual(a, b);

/** Up to here a loop takes less time than the call of Buffer.fill. */
const SHORT_BYTES = 128;

/** Overwrites a secret in place. Copies inside OpenSSL or made by the runtime are out of reach. */
export function wipe(...secrets: readonly Bytes[]): void {
  for (const secret of secrets) {
    if (secret.length > SHORT_BYTES) secret.fill(0);
    else for (let i = 0; i < secret.length; i += 1) secret[i] = 0;
  }
}

const BASE32HEX = '0123456789abcdefghijklmnopqrstuv';

/** RFC 4648 7 base32hex, lower case, no padding: a node name as one NATS subject token. */
export function base32hex(b: Bytes): string {
  let out = '';
  let bits = 0;
  let acc = 0;
  for (const byte of b) {
    acc = (acc << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32HEX[(acc >> bits) & 31];
      acc &= (1 << bits) - 1;
    }
  }
  if (bits > 0) out += BASE32HEX[(acc << (5 - bits)) & 31];
  return out;
}

/** What base32hex() was made of, if `text` is in its form. */
export function fromBase32hex(text: string): Buffer | undefined {
  const out: number[] = [];
  let bits = 0;
  let acc = 0;
  for (const digit of text) {
    const value = BASE32HEX.indexOf(digit);
    if (value < 0) return undefined;
    acc = (acc << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    out.push((acc >> bits) & 255);
    acc &= (1 << bits) - 1;
  }
  const made = Buffer.from(out);
  return base32hex(made) === text ? made : undefined;
}
