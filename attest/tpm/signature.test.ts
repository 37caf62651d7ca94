import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { concat, fromB64url, u16 } from '#agent/base/bytes.ts';
import { fixture } from '#attest/testdata/fixture.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { parsePublic } from './public.ts';
import { parseSignature, verifySignature } from './signature.ts';

const key = parsePublic(fromB64url(fixture.evidence.akPublic));
const message = fromB64url(fixture.evidence.quote.message);
const bytes = fromB64url(fixture.evidence.quote.signature);

const RSASSA = 0x0014;
const RSAPSS = 0x0016;
const SHA256 = 0x000b;
const SHA384 = 0x000c;

it('parseSignature() and verifySignature() accept what the TPM signed', () => {
  const signature = parseSignature(bytes);
  expect(signature).toMatchObject({ scheme: 'ECDSA', hash: { name: 'sha256' } });
  expect(verifySignature(key, signature, message)).toBe(true);
});

it('parseSignature() refuses every truncation, a byte too many and unknown algorithms', () => {
  for (let end = 0; end < bytes.length; end += 1) {
    expect(outcome(parseSignature, bytes.subarray(0, end))).toBe('malformed');
  }
  expect(() => parseSignature(concat(bytes, Buffer.alloc(1)))).toThrow('1 bytes follow it');
  expect(() => parseSignature(concat(u16(0x0005), bytes.subarray(2)))).toThrow('unknown scheme');
  const sm3 = concat(bytes.subarray(0, 2), u16(0x0012), bytes.subarray(4));
  expect(() => parseSignature(sm3)).toThrow('unknown hash');
});

it('verifySignature() goes by the scheme of the key, not by that of the signature', () => {
  const value = Buffer.alloc(256, 1);
  for (const scheme of [RSASSA, RSAPSS]) {
    const rsa = parseSignature(concat(u16(scheme), u16(SHA256), u16(value.length), value));
    expect(verifySignature(key, rsa, message)).toBe(false);
  }
  const otherHash = parseSignature(concat(bytes.subarray(0, 2), u16(SHA384), bytes.subarray(4)));
  expect(verifySignature(key, otherHash, message)).toBe(false);
});

it('verifySignature() refuses r or s wider than the curve', () => {
  const wide = concat(u16(34), Buffer.alloc(34, 1));
  const signature = parseSignature(concat(bytes.subarray(0, 4), wide, wide));
  expect(verifySignature(key, signature, message)).toBe(false);
});

it('verifySignature() holds for no altered signature', () => {
  fc.assert(
    fc.property(hostile(bytes), (altered) => {
      const signature = outcome(parseSignature, altered);
      if (signature === 'malformed' || Buffer.from(altered).equals(bytes)) return;
      expect(verifySignature(key, signature, message)).toBe(false);
    }),
    { numRuns: 300 },
  );
});
