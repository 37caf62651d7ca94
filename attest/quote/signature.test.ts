import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { makeAk, makeAttest, plainSignature, tpmSignature } from '#attest/testdata/quote.ts';
import { parsePublic } from '#attest/tpm/public.ts';
import { parseSignature, verifySignature } from '#attest/tpm/signature.ts';
import { readAttestationKey } from './key.ts';
import { tpmtSignature } from './signature.ts';

const message = makeAttest();

describe.each(['RSA', 'ECC'] as const)('tpmtSignature() of an %s key', (type) => {
  const ak = makeAk(type);
  const key = parsePublic(ak.area);
  const verifies = (bytes: Uint8Array, verifying = readAttestationKey(ak.area).verifying) =>
    verifySignature(
      verifying,
      parseSignature(tpmtSignature(bytes, { key: verifying, message })),
      message,
    );

  it('leaves a TPMT_SIGNATURE as it is', () => {
    const signature = tpmSignature(ak, message);
    expect(tpmtSignature(signature, { key, message })).toBe(signature);
  });

  it('finds scheme and hash of a plain signature, with the public area and without', () => {
    const plain = plainSignature(ak, message);
    expect(verifies(plain)).toBe(true);
    const bare = readAttestationKey(ak.publicKey.export({ type: 'spki', format: 'der' }));
    expect(verifies(plain, bare.verifying)).toBe(true);
  });

  it('makes no altered plain signature valid', () => {
    const plain = plainSignature(ak, message);
    fc.assert(
      fc.property(fc.nat(plain.length - 1), fc.nat(7), (index, bit) => {
        const read = (bytes: Uint8Array) => verifies(bytes);
        expect(outcome(read, flipped(plain, index, bit))).not.toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('ends in one error on any bytes', () => {
    const read = (bytes: Uint8Array) => tpmtSignature(bytes, { key, message });
    for (const sample of [tpmSignature(ak, message), plainSignature(ak, message)]) {
      fc.assert(fc.property(hostile(sample), (bytes) => void outcome(read, bytes)));
    }
  });
});

it('tpmtSignature() finds RSAPSS, and keeps a key to the scheme that it is bound to', () => {
  const plain = plainSignature(makeAk('RSA'), message, true);
  for (const [scheme, holds] of [
    ['none', true],
    ['RSAPSS', true],
    ['RSASSA', false],
  ] as const) {
    const key = parsePublic(makeAk('RSA', undefined, scheme).area);
    const signature = parseSignature(tpmtSignature(plain, { key, message }));
    expect(verifySignature(key, signature, message)).toBe(holds);
  }
});

it('tpmtSignature() refuses what has neither form', () => {
  const rsa = parsePublic(makeAk('RSA').area);
  const ecc = makeAk('ECC');
  const key = parsePublic(ecc.area);
  const der = plainSignature(ecc, message);
  expect(() => tpmtSignature(Buffer.alloc(255, 1), { key: rsa, message })).toThrow(
    'unknown scheme',
  );
  const longer = concat(der, Buffer.alloc(1));
  expect(() => tpmtSignature(longer, { key, message })).toThrow('not an ECDSA signature');
  const three = concat(Buffer.from([0x30, 9]), Buffer.from('020101020101020101', 'hex'));
  expect(() => tpmtSignature(three, { key, message })).toThrow('not an ECDSA signature');
});
