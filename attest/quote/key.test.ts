import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, hex, u16, utf8 } from '#agent/base/bytes.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { makeAk } from '#attest/testdata/quote.ts';
import { readAttestationKey } from './key.ts';

const pem = (type: 'RSA' | 'ECC'): string =>
  makeAk(type).publicKey.export({ type: 'spki', format: 'pem' });

describe.each(['RSA', 'ECC'] as const)('readAttestationKey() reads an %s key', (type) => {
  const { publicKey, area } = makeAk(type);
  const certificate = makeCertificate({
    subject: { CN: 'ak' },
    keys: { publicKey, privateKey: makeAk(type).privateKey },
  });
  const forms: readonly [form: string, bytes: Uint8Array][] = [
    ['TPM public area', area],
    ['TPM public area', concat(u16(area.length), area)],
    ['PEM public key', utf8(pem(type))],
    ['DER public key', publicKey.export({ type: 'spki', format: 'der' })],
    ['JWK', utf8(`\n${JSON.stringify(publicKey.export({ format: 'jwk' }))}`)],
    ['PEM certificate', utf8(certificate.pem)],
    ['DER certificate', certificate.der],
  ];

  it.each(forms)('from a %s', (form, bytes) => {
    const key = readAttestationKey(bytes);
    expect(key.form).toBe(form);
    expect(key.verifying.type).toBe(type);
    expect(key.verifying.key.equals(publicKey)).toBe(true);
    expect(key.area === undefined).toBe(form !== 'TPM public area');
  });

  it('and ends in one error on any bytes', () => {
    for (const [, bytes] of forms) {
      const read = (altered: Uint8Array) => void outcome(readAttestationKey, altered);
      fc.assert(fc.property(hostile(bytes), read), { numRuns: 60 });
    }
  });
});

it('readAttestationKey() binds a key to a scheme only by its public area', () => {
  expect(readAttestationKey(makeAk('RSA').area).verifying.scheme).toMatchObject({ id: 0x0014 });
  expect(readAttestationKey(utf8(pem('RSA'))).verifying.scheme).toBeUndefined();
});

it('readAttestationKey() names a public area as the TPM does', () => {
  const { area } = makeAk('ECC');
  expect(hex(readAttestationKey(area).area?.name ?? area)).toMatch(/^000b[0-9a-f]{64}$/);
});

/** RFC 8410 10.1. */
const ED25519 = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;

it.each([
  ['nothing', ''],
  ['a private key', makeKeys('P-256').privateKey.export({ type: 'pkcs8', format: 'pem' })],
  ['JSON that is no key', '{"kty":"oct","k":"AAAA"}'],
  ['broken JSON', '{'],
  ['a key of no TPM', ED25519],
])('readAttestationKey() refuses %s', (_, text) => {
  expect(outcome(readAttestationKey, utf8(text))).toBe('malformed');
});
