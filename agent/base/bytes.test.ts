// Byte strings against RFC 4648, node's own readers and an independent hash.
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  b64url,
  base32hex,
  concat,
  equal,
  field,
  fromB64url,
  fromHex,
  hex,
  sha256,
  truncate,
  u16,
  u32,
  u64,
  utf8,
  wipe,
} from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 80 });

describe('base32hex()', () => {
  // RFC 4648 10, in lower case and without padding.
  const published = {
    '': '',
    f: 'co',
    fo: 'cpng',
    foo: 'cpnmu',
    foob: 'cpnmuog',
    fooba: 'cpnmuoj1',
    foobar: 'cpnmuoj1e8',
  };

  it('base32hex() gives the vectors of RFC 4648', () => {
    for (const [text, encoded] of Object.entries(published)) {
      expect(base32hex(utf8(text))).toBe(encoded);
    }
  });

  it('base32hex() tells any two byte strings apart and stays one NATS token', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(base32hex(a)).toMatch(/^[0-9a-v]*$/);
        expect(base32hex(a) === base32hex(b)).toBe(equal(a, b));
      }),
    );
  });
});

describe('integers', () => {
  it('u16() u32() u64() are big-endian', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        expect(u64(n).readBigUInt64BE()).toBe(BigInt(n));
        expect(u32(n % 2 ** 32).readUInt32BE()).toBe(n % 2 ** 32);
        expect(u16(n % 2 ** 16).readUInt16BE()).toBe(n % 2 ** 16);
      }),
    );
  });

  it('u16() u32() u64() refuse what does not fit', () => {
    expect(() => u16(2 ** 16)).toThrow(RangeError);
    expect(() => u32(2 ** 32)).toThrow(RangeError);
    expect(() => u64(-1)).toThrow(RangeError);
    expect(() => u64(1.5)).toThrow(RangeError);
  });
});

describe('field()', () => {
  it('field() keeps two lists of fields apart that concat() would not', () => {
    const list = fc.array(bytes, { maxLength: 4 });
    fc.assert(
      fc.property(list, list, (a, b) => {
        const same = a.length === b.length && a.every((part, i) => equal(part, b[i] ?? part));
        expect(equal(concat(...a.map(field)), concat(...b.map(field)))).toBe(same);
      }),
    );
  });

  it('field() takes text as UTF-8 and at most 65,535 bytes', () => {
    expect(hex(field('é'))).toBe('0002c3a9');
    expect(field(new Uint8Array(0xffff))).toHaveLength(0x10001);
    expect(() => field(new Uint8Array(0x10000))).toThrow(RangeError);
  });
});

describe('text forms', () => {
  it('hex() and b64url() come back as the same bytes, from any view', () => {
    fc.assert(
      fc.property(bytes, fc.nat(8), (whole, skip) => {
        const view = whole.subarray(Math.min(skip, whole.length));
        expect(equal(fromHex(hex(view)), view)).toBe(true);
        expect(equal(fromB64url(b64url(view)), view)).toBe(true);
      }),
    );
  });
});

describe('sha256()', () => {
  it('sha256() hashes the parts as one string, as an independent implementation does', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), (parts) => {
        expect(hex(sha256(...parts))).toBe(hex(nobleSha256(concat(...parts))));
      }),
    );
  });
});

describe('truncate() equal() wipe()', () => {
  it('truncate() gives the first n bytes, or all where there are fewer', () => {
    fc.assert(
      fc.property(bytes, fc.nat(100), (b, n) => {
        expect(hex(truncate(n, b))).toBe(hex(b.slice(0, n)));
      }),
    );
  });

  it('equal() compares contents and lengths', () => {
    expect(equal(fromHex('0102'), fromHex('0102'))).toBe(true);
    expect(equal(fromHex('0102'), fromHex('0103'))).toBe(false);
    expect(equal(fromHex('0102'), fromHex('010200'))).toBe(false);
  });

  it('wipe() overwrites every byte in place', () => {
    const secrets = [fromHex('01ff'), new Uint8Array([7])];
    wipe(...secrets);
    expect(secrets.map(hex)).toEqual(['0000', '00']);
  });
});
