import { describe, expect, it } from 'vitest';
import { concat, fromHex, hex } from '#agent/base/bytes.ts';
import { noVectors, vectorText } from '#attest/testdata/vectors.ts';
import { parsePublic } from '#attest/tpm/public.ts';
import { makeCredential } from './credential.ts';

interface KnownAnswer {
  readonly ek_tpm2b_public: string;
  readonly credential: string;
  readonly ak_name: string;
  readonly expected_first_80_bytes: string;
}

describe.skipIf(noVectors !== undefined)(`known answer ${noVectors ?? ''}`, () => {
  it('makeCredential() gives the known identity object for an RSA EK and a fixed seed', () => {
    const known = JSON.parse(vectorText('kat/makecredential_rsa.json')) as KnownAnswer;
    const { key, nameAlg, aesBits } = parsePublic(fromHex(known.ek_tpm2b_public));
    if (aesBits === undefined) throw new Error('the EK of the vector is a storage key');
    const { credentialBlob, encryptedSecret } = makeCredential(
      { key, nameAlg, aesBits },
      fromHex(known.ak_name),
      fromHex(known.credential),
      (lenBytes) => Buffer.alloc(lenBytes, 0x12),
    );
    const file = concat(fromHex('badcc0de00000001'), credentialBlob, encryptedSecret);
    expect(hex(file.subarray(0, 80))).toBe(known.expected_first_80_bytes);
    expect(encryptedSecret).toHaveLength(2 + 256);
  });

  it('makeCredential() refuses a secret longer than the name digest', () => {
    const known = JSON.parse(vectorText('kat/makecredential_rsa.json')) as KnownAnswer;
    const { key, nameAlg } = parsePublic(fromHex(known.ek_tpm2b_public));
    const make = () =>
      makeCredential({ key, nameAlg, aesBits: 128 }, Buffer.alloc(34), Buffer.alloc(33));
    expect(make).toThrow(RangeError);
  });
});
