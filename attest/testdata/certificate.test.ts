import { expect, it } from 'vitest';
import { derIa5, derOid } from './derWrite.ts';
import { makeCertificate, makeKeys, type KeyKind } from './certificate.ts';
import { chainTo } from '#attest/x509/chain.ts';
import { extensionsOf } from '#attest/x509/extension.ts';

const WHEN = Date.UTC(2026, 0, 1);

it.each<[KeyKind, KeyKind]>([
  ['RSA', 'P-384'],
  ['P-384', 'P-256'],
  ['P-256', 'P-256'],
])('makeCertificate() signs with %s a certificate that OpenSSL verifies', (rootKind, leafKind) => {
  const root = makeCertificate({
    subject: { O: 'Maker', CN: 'root' },
    keys: makeKeys(rootKind),
    ca: true,
  });
  const leaf = makeCertificate({ subject: { CN: 'leaf' }, keys: makeKeys(leafKind), issuer: root });
  expect(chainTo(leaf.x509, [root.x509], WHEN)).toMatchObject({ trusted: true });
  expect(leaf.x509.issuer).toBe('O=Maker\nCN=root');
  const stranger = makeCertificate({ ...root, keys: makeKeys(rootKind), ca: true });
  expect(chainTo(leaf.x509, [stranger.x509], WHEN)).toMatchObject({ trusted: false });
});

it('makeCertificate() writes dates, serial and extensions as asked', () => {
  const { x509, der } = makeCertificate({
    subject: { CN: 'chip' },
    keys: makeKeys('P-384'),
    serial: 0xffeen,
    validFromMs: Date.UTC(2021, 5, 6, 7, 8, 9),
    validToMs: Date.UTC(2051, 0, 1),
    extensions: [{ id: '1.3.6.1.4.1.3704.1.2', value: derIa5('Milan-B0') }],
  });
  expect(x509.serialNumber).toBe('FFEE');
  expect(x509.validFromDate.toISOString()).toBe('2021-06-06T07:08:09.000Z');
  expect(x509.validToDate.toISOString()).toBe('2051-01-01T00:00:00.000Z');
  expect(x509.ca).toBe(false);
  expect(extensionsOf(der)).toEqual(new Map([['1.3.6.1.4.1.3704.1.2', derIa5('Milan-B0')]]));
  expect(derOid('1.3.6.1.4.1.3704.1.2').toString('hex')).toBe('06092b060104019c780102');
});
