import { expect, it } from 'vitest';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { outcome } from '#attest/testdata/hostile.ts';
import { parseCertificate } from './certificate.ts';

const { der } = makeCertificate({ subject: { CN: 'a' }, keys: makeKeys('P-256') });
const parse = (bytes: Uint8Array) => parseCertificate(bytes, 'certificate');

it.each([
  ['start', '200101000000Z', '209901000000Z'],
  ['end', '490101000000Z', '490101000099Z'],
])(
  'parseCertificate() refuses what is no date at its %s: nothing is later than that',
  (_, good, bad) => {
    const at = der.indexOf(good, 0, 'latin1');
    const altered = Buffer.from(der);
    altered.write(bad, at, 'latin1');
    expect(at).toBeGreaterThan(0);
    expect(parse(der).subject).toBe('CN=a');
    expect(outcome(parse, altered)).toBe('malformed');
  },
);
