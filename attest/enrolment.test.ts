import { expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { signDocument } from '#agent/base/signed.ts';
import { fixture, fixtureOwners } from '#attest/testdata/fixture.ts';
import { ENROLMENT_KIND, readEnrolment } from './enrolment.ts';

const owner = generateSigningKey();

it('readEnrolment() gives what an owner signed', () => {
  const enrolment = readEnrolment(fixture.enrolment, fixtureOwners);
  expect(enrolment).toEqual(fixture.enrolment.payload);
  expect(Object.keys(enrolment.reference.pcrs)).toEqual([
    '0',
    '1',
    '2',
    '3',
    '4',
    '5',
    '6',
    '7',
    '11',
  ]);
});

it.each<[string, object]>([
  ['another node', { node: 'node-b' }],
  ['another TPM', { ekDigest: '0'.repeat(64) }],
  ['another key', { akName: '0'.repeat(68) }],
  ['another time', { issuedAt: 0 }],
])('readEnrolment() refuses %s put in after signing', (_, change) => {
  const { payload } = fixture.enrolment;
  const changed = { ...fixture.enrolment, payload: { ...payload, ...change } };
  expect(() => readEnrolment(changed, fixtureOwners)).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
  );
});

it('readEnrolment() refuses an enrolment by somebody who is no owner', () => {
  const signed = signDocument(ENROLMENT_KIND, fixture.enrolment.payload, owner);
  expect(() => readEnrolment(signed, fixtureOwners)).toThrow(
    expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
  );
});

it.each<[string, object]>([
  [
    'a reference value for PCR 10',
    { reference: { bank: 'sha256', pcrs: { 10: 'ab'.repeat(32) } } },
  ],
  ['reference values in SHA-1', { reference: { bank: 'sha1', pcrs: {} } }],
  ['a digest of the wrong size', { ekDigest: 'ab' }],
  ['a node name that is none', { node: '../etc' }],
])('readEnrolment() refuses %s, even signed by an owner', (_, change) => {
  const payload = { ...fixture.enrolment.payload, ...change };
  const signed = signDocument(ENROLMENT_KIND, payload, owner);
  expect(() => readEnrolment(signed, [owner.public])).toThrow(
    expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
  );
});
