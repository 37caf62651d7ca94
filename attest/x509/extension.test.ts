import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { derElement } from '#attest/der.ts';
import {
  makeCertificate,
  makeKeys,
  type CertificateExtension,
} from '#attest/testdata/certificate.ts';
import { der, derOid } from '#attest/testdata/derWrite.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { criticalExtensions, extensionsOf, objectIdentifier } from './extension.ts';

const keys = makeKeys('P-256');
const made = (extensions: readonly CertificateExtension[]): Buffer =>
  makeCertificate({ subject: { CN: 'leaf' }, keys, extensions }).der;
const read = (bytes: Uint8Array): string => objectIdentifier(derElement(bytes, 'OID'));

it('extensionsOf() has the value of each extension, critical or not', () => {
  const [a, b] = [utf8('first'), utf8('second')];
  const certificate = made([
    { id: '1.3.6.1.4.1.3704.1.2', value: a },
    { id: '1.2.840.113741.1.13.1', value: b, critical: true },
  ]);
  expect(extensionsOf(certificate)).toEqual(
    new Map([
      ['1.3.6.1.4.1.3704.1.2', Buffer.from(a)],
      ['1.2.840.113741.1.13.1', Buffer.from(b)],
    ]),
  );
});

it('criticalExtensions() names those that nobody may ignore', () => {
  const certificate = made([
    { id: '1.3.6.1.4.1.3704.1.2', value: utf8('chip') },
    { id: '1.2.840.113741.1.13.1', value: utf8('platform'), critical: true },
  ]);
  expect(criticalExtensions(certificate)).toEqual(['1.2.840.113741.1.13.1']);
});

it('extensionsOf() has none where the certificate has none', () => {
  expect(extensionsOf(made([])).size).toBe(0);
});

it('extensionsOf() refuses one that stands there twice (RFC 5280 4.2)', () => {
  const twice = { id: '1.3.6.1.4.1.3704.1.4', value: utf8('chip') };
  expect(outcome(extensionsOf, made([twice, twice]))).toBe('malformed');
});

it('extensionsOf() ends in one error on any bytes', () => {
  const certificate = made([{ id: '1.3.6.1.4.1.3704.1.4', value: utf8('chip') }]);
  fc.assert(fc.property(hostile(certificate), (bytes) => void outcome(extensionsOf, bytes)));
});

it('objectIdentifier() reads what was written', () => {
  const arcs = fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 8 });
  const roots = fc.oneof(fc.tuple(fc.nat(1), fc.nat(39)), fc.tuple(fc.constant(2), fc.nat(1000)));
  fc.assert(
    fc.property(roots, arcs, (root, rest) => {
      const dotted = [...root, ...rest].join('.');
      expect(read(derOid(dotted))).toBe(dotted);
    }),
  );
});

it.each([
  ['no content', der(0x06)],
  ['another type', der(0x04, utf8('x'))],
  ['an arc without an end', der(0x06, Uint8Array.of(0x2a, 0x86))],
  ['an arc over 2^53', der(0x06, Uint8Array.of(0x2a, ...Array.from({ length: 9 }, () => 0xff), 1))],
  ['too many bytes', der(0x06, new Uint8Array(80).fill(1))],
])('objectIdentifier() refuses %s', (_, bytes) => {
  expect(outcome(read, bytes)).toBe('malformed');
});
