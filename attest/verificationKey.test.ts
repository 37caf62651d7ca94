import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import * as fc from 'fast-check';
import { parseVerificationKeys } from './verificationKey.ts';

const { publicKey, privateKey } = makeKeys('P-256');
const jwk = publicKey.export({ format: 'jwk' });
const spki = publicKey.export({ type: 'spki', format: 'pem' });
const json = (value: object): Uint8Array => utf8(JSON.stringify(value));
const kinds = (bytes: Uint8Array) =>
  parseVerificationKeys(bytes).map(({ key }) => key.asymmetricKeyType);

describe('parseVerificationKeys()', () => {
  it('reads PEM, a certificate, a JWK and the signing keys of a set', () => {
    const certificate = makeCertificate({ subject: { CN: 'x' }, keys: { publicKey, privateKey } });
    const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    expect(kinds(utf8(spki))).toEqual(['ec']);
    expect(kinds(utf8(certificate.pem))).toEqual(['ec']);
    expect(kinds(json(jwk))).toEqual(['ec']);
    const set = [{ ...jwk, use: 'enc' }, { kty: 'oct', k: 'AA' }, jwk, { ...ed, use: 'sig' }];
    expect(kinds(json({ keys: set }))).toEqual(['ec', 'ed25519']);
    expect(parseVerificationKeys(json({ ...jwk, alg: 'ES256' }))[0]?.alg).toBe('ES256');
  });

  it.each<[string, Uint8Array]>([
    ['a private key in PEM', utf8(privateKey.export({ type: 'pkcs8', format: 'pem' }))],
    ['a private JWK', json(privateKey.export({ format: 'jwk' }))],
    ['a shared key', json({ kty: 'oct', k: 'AA' })],
    ['a key for encryption', json({ ...jwk, use: 'enc' })],
    ['a key for other operations', json({ ...jwk, key_ops: ['deriveKey'] })],
    ['a point off its curve', json({ ...jwk, y: jwk.x })],
    ['an empty set', json({ keys: [] })],
    ['a set of too many', json({ keys: Array.from({ length: 65 }, () => jwk) })],
    ['a set of nothing for signatures', json({ keys: [{ kty: 'oct', k: 'AA' }] })],
    ['PEM of nothing', utf8('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----')],
    ['text', utf8('key')],
  ])('refuses %s', (_what, bytes) => {
    expect(outcome(parseVerificationKeys, bytes)).toBe('malformed');
  });

  it('reads hostile bytes or refuses them, and does nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(hostile(json(jwk)), hostile(utf8(spki))), (bytes) => {
        outcome(parseVerificationKeys, bytes);
      }),
    );
  });
});
