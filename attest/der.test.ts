import * as fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { fromB64url } from '#agent/base/bytes.ts';
import { fixture } from '#attest/testdata/fixture.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { derChildren, derElement, subjectPublicKeyInfo } from './der.ts';

const certificate = fromB64url(fixture.evidence.ekCertificate);

it('subjectPublicKeyInfo() finds the bytes that OpenSSL finds', () => {
  const expected = new X509Certificate(certificate).publicKey;
  const found = subjectPublicKeyInfo(derElement(certificate, 'certificate'));
  expect(found).toEqual(expected.export({ type: 'spki', format: 'der' }));
});

it.each([
  ['an indefinite length', [0x30, 0x80, 0x00, 0x00], 'a length that DER forbids'],
  ['a length of more than 16 MiB', [0x30, 0x84, 0x01, 0, 0, 0], 'a length that DER forbids'],
  ['a length beyond the end', [0x30, 0x05, 0x00], '5 bytes wanted at offset 2, 1 left'],
  ['nothing', [], '1 bytes wanted at offset 0, 0 left'],
])('derElement() refuses %s', (_, bytes, state) => {
  expect(() => derElement(Uint8Array.from(bytes), 'certificate')).toThrow(state);
});

function parse(bytes: Uint8Array): Buffer {
  const element = derElement(bytes, 'certificate');
  derChildren(element, 'certificate');
  return subjectPublicKeyInfo(element);
}

it('derElement(), derChildren() and subjectPublicKeyInfo() end in one error on any bytes', () => {
  fc.assert(fc.property(hostile(certificate), (bytes) => void outcome(parse, bytes)));
});
