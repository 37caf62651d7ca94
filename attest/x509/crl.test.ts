import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { makeCertificate, makeKeys, makeRevocationList } from '#attest/testdata/certificate.ts';
import { derChildren, derElement } from '#attest/der.ts';
import { derInteger, derSequence } from '#attest/testdata/derWrite.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { parseCertificate } from './certificate.ts';
import { crlSignedBy, isRevoked, parseCrl } from './crl.ts';

const NOW = Date.UTC(2026, 5, 1);
const ca = makeCertificate({ subject: { CN: 'CA' }, keys: makeKeys('P-256'), ca: true });
const other = makeCertificate({ subject: { CN: 'CA' }, keys: makeKeys('P-384'), ca: true });
const rsa = makeCertificate({ subject: { CN: 'CA' }, keys: makeKeys('RSA'), ca: true });
const leaf = makeCertificate({ subject: { CN: 'leaf' }, keys: ca.keys, issuer: ca, serial: 0xe5n });
const dates = { thisUpdateMs: NOW, nextUpdateMs: NOW + 86_400_000 };
const list = makeRevocationList({ issuer: ca, ...dates, revoked: [3, 0xe5n, 1n << 150n] });

describe('parseCrl()', () => {
  it('reads dates and serial numbers, those with a leading zero octet too', () => {
    const crl = parseCrl(list);
    expect(crl).toMatchObject(dates);
    expect(crl.revoked.size).toBe(3);
    expect(isRevoked(crl, leaf.x509)).toBe(true);
    expect(isRevoked(crl, ca.x509)).toBe(false);
  });

  it('reads a list that takes nothing back', () => {
    expect(parseCrl(makeRevocationList({ issuer: ca, ...dates, revoked: [] })).revoked.size).toBe(
      0,
    );
  });

  it('reads a date after 2049', () => {
    const far = { thisUpdateMs: NOW, nextUpdateMs: Date.UTC(2051, 0, 1) };
    expect(parseCrl(makeRevocationList({ issuer: ca, ...far, revoked: [] }))).toMatchObject(far);
  });

  it('takes two-digit years from 50 on for the last century', () => {
    const old = { thisUpdateMs: Date.UTC(1950, 0, 1), nextUpdateMs: Date.UTC(2049, 11, 31) };
    expect(parseCrl(makeRevocationList({ issuer: ca, ...old, revoked: [] }))).toMatchObject(old);
  });

  it('refuses a date that is none', () => {
    const wrong = list.toString('latin1').replace('260601000000Z', '261301000000Z');
    expect(outcome(parseCrl, Buffer.from(wrong, 'latin1'))).toBe('malformed');
    const zoneless = list.toString('latin1').replace('260601000000Z', '2606010000000');
    expect(outcome(parseCrl, Buffer.from(zoneless, 'latin1'))).toBe('malformed');
  });

  it('refuses a list of another number of parts', () => {
    const parts = derChildren(derElement(list, 'list'), 'list').map(({ raw }) => raw);
    expect(outcome(parseCrl, derSequence(...parts))).not.toBe('malformed');
    expect(outcome(parseCrl, derSequence(...parts.slice(0, 2)))).toBe('malformed');
    expect(outcome(parseCrl, derSequence(...parts, derInteger(1)))).toBe('malformed');
  });

  it('refuses a byte after the list', () => {
    expect(outcome(parseCrl, Buffer.concat([list, Buffer.of(0)]))).toBe('malformed');
  });

  it('ends in a list or EVIDENCE_MALFORMED, whatever the bytes', () => {
    fc.assert(fc.property(hostile(list), (bytes) => void outcome(parseCrl, bytes)));
  });
});

describe('crlSignedBy()', () => {
  it('knows the key that signed, P-256 and P-384', () => {
    expect(crlSignedBy(parseCrl(list), ca.x509)).toBe(true);
    expect(crlSignedBy(parseCrl(list), other.x509)).toBe(false);
    const wide = makeRevocationList({ issuer: other, ...dates, revoked: [] });
    expect(crlSignedBy(parseCrl(wide), other.x509)).toBe(true);
  });

  it.each([
    ['ECDSA', ca],
    ['RSASSA-PSS', rsa],
  ])('refuses a list signed with %s with any bit of it changed', (_, issuer) => {
    const bytes = makeRevocationList({ issuer, ...dates, revoked: [3, 0xe5n] });
    expect(crlSignedBy(parseCrl(bytes), issuer.x509)).toBe(true);
    for (let index = 0; index < bytes.length; index += 1) {
      const crl = outcome(parseCrl, flipped(bytes, index, index % 8));
      expect(crl === 'malformed' || !crlSignedBy(crl, issuer.x509), `byte ${index}`).toBe(true);
    }
  });
});

test.skipIf(noVectors !== undefined)(`parseCrl() reads the lists of Intel`, () => {
  const root = parseCertificate(vector('tdx/IntelSGXRootCA.der'), 'root');
  const rootCrl = parseCrl(vector('tdx/gotdx_rootcrl.der'));
  expect(crlSignedBy(rootCrl, root)).toBe(true);
  expect(isRevoked(rootCrl, root)).toBe(false);
  const pckCrl = parseCrl(vector('tdx/gotdx_pckcrl'));
  expect(crlSignedBy(pckCrl, root)).toBe(false);
  expect(pckCrl.revoked.has('6fc34e5023e728923435d61aa4b83c618166ad35')).toBe(true);
  expect(pckCrl.nextUpdateMs).toBe(Date.UTC(2023, 6, 8, 7, 27, 52));
});
