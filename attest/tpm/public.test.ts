import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromB64url, hex, u16 } from '#agent/base/bytes.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import {
  noVectors,
  truths,
  vector,
  vectorText,
  type QuoteTruth,
} from '#attest/testdata/vectors.ts';
import { ALG } from './algorithms.ts';
import { ATTESTATION_KEY, missingAttributes, parsePublic } from './public.ts';

const sized = fromB64url(fixture.evidence.akPublic);
const area = sized.subarray(2);

it('parsePublic() reads the attestation key that tidelock makes', () => {
  const key = parsePublic(sized);
  expect(key).toMatchObject({ type: 'ECC', curve: { name: 'P-256' }, scheme: { id: ALG.ECDSA } });
  expect(missingAttributes(key, ATTESTATION_KEY)).toEqual([]);
  expect(hex(key.name)).toBe(goodRequest.enrolment.akName);
});

it('parsePublic() takes TPMT_PUBLIC and TPM2B_PUBLIC for the same object', () => {
  expect(parsePublic(area).name).toEqual(parsePublic(sized).name);
});

it('parsePublic() gives every change of the public area another Name, or refuses it', () => {
  const name = parsePublic(sized).name;
  fc.assert(
    fc.property(hostile(area), (bytes) => {
      const read = outcome(parsePublic, bytes);
      if (read === 'malformed' || Buffer.from(bytes).equals(area)) return;
      expect(read.name.equals(name)).toBe(false);
    }),
  );
});

it('parsePublic() refuses a point that is not on the curve', () => {
  const off = Buffer.from(area);
  off.fill(0x11, off.length - 32);
  expect(() => parsePublic(off)).toThrow('not a valid public key');
});

it('parsePublic() refuses bytes after the structure', () => {
  expect(() => parsePublic(concat(area, Buffer.alloc(1)))).toThrow('1 bytes follow it');
  expect(() => parsePublic(concat(u16(sized.length), sized))).toThrow('Cannot read TPMT_PUBLIC');
});

it.each(ATTESTATION_KEY)('missingAttributes() notices a key that is not %s', (attribute) => {
  const bits = { fixedTPM: 1, fixedParent: 4, sensitiveDataOrigin: 5, restricted: 16, sign: 18 };
  const without = Buffer.from(area);
  const position = bits[attribute as keyof typeof bits];
  without.writeUInt32BE(without.readUInt32BE(4) & ~(1 << position), 4);
  expect(missingAttributes(parsePublic(without), ATTESTATION_KEY)).toEqual([attribute]);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const named = truths<QuoteTruth>('tpm-quote', 'quote.msg').flatMap(([path, { ak_name }]) =>
    ak_name === undefined ? [] : [[path.replace('quote.msg', 'ak.tpm2b_public'), ak_name] as const],
  );

  it.each(named)('parsePublic() computes the Name of %s', (path, name) => {
    expect(hex(parsePublic(vector(path)).name)).toBe(name);
  });

  it('parsePublic() reads RSA keys, with the Name that the TPM printed', () => {
    const key = parsePublic(vector('tpm-quote/swtpm-q1_good_sha256/ak.tpm2b_public'));
    expect(key).toMatchObject({ type: 'RSA', bits: 2048, scheme: { id: ALG.RSASSA } });
    expect(hex(key.name)).toBe(vectorText('tpm-quote/swtpm-q1_good_sha256/ak.name.hex'));
    expect(key.key.export({ type: 'spki', format: 'pem' }).trim()).toBe(
      vectorText('tpm-quote/swtpm-q1_good_sha256/ak.pem'),
    );
  });

  it('parsePublic() reads a storage key with its AES', () => {
    const key = parsePublic(vector('tpm-quote/swtpm-q1_good_sha256/ek.pub.tpm2b'));
    expect(key).toMatchObject({ type: 'RSA', aesBits: 128, scheme: undefined });
    expect(missingAttributes(key, ATTESTATION_KEY)).toEqual(['sign']);
  });
});
