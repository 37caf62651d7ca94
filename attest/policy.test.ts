import { expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { signDocument } from '#agent/base/signed.ts';
import { fixture, fixtureOwners } from '#attest/testdata/fixture.ts';
import { quotedPcrs, readPolicy, signPolicy, type PolicyChoices } from './policy.ts';

const owner = generateSigningKey();
const choices: PolicyChoices = {
  domain: 'example.org',
  cluster: 'test',
  issuedAt: 1_800_000_000_000,
  algorithms: [1, 2],
};

it('signPolicy() enforces PCR 0 to 7 and 11 in SHA-256 unless told otherwise', () => {
  const policy = readPolicy(signPolicy(choices, owner), [owner.public]);
  expect(policy).toMatchObject({ bank: 'sha256', enforce: [0, 1, 2, 3, 4, 5, 6, 7, 11], warn: [] });
  expect(quotedPcrs(policy)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 10, 11]);
});

it('quotedPcrs() is rising, once each, with PCR 10 of IMA always', () => {
  expect(quotedPcrs({ enforce: [7, 0], warn: [23, 4] })).toEqual([0, 4, 7, 10, 23]);
});

it('readPolicy() refuses a policy that another owner signed, or that was changed', () => {
  const signed = signPolicy(choices, owner);
  const invalid = expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as Error;
  expect(() => readPolicy(signed, fixtureOwners)).toThrow(invalid);
  const weaker = { ...signed, payload: { ...signed.payload, enforce: [7] } };
  expect(() => readPolicy(weaker, [owner.public])).toThrow(invalid);
});

it('readPolicy() refuses an enrolment in its place', () => {
  expect(() => readPolicy(fixture.enrolment, fixtureOwners)).toThrow(
    expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
  );
});

it.each<[string, object]>([
  ['SHA-1', { bank: 'sha1' }],
  ['PCR 10 among the fixed ones', { enforce: [0, 10] }],
  ['a PCR that is both enforced and warned of', { enforce: [4], warn: [4] }],
  ['a PCR twice', { enforce: [4, 4] }],
  ['a PCR that no TPM has', { enforce: [24] }],
  ['no PCR at all', { enforce: [], warn: [] }],
  ['no algorithm', { algorithms: [] }],
  ['periods the wrong way round', { periodMs: { min: 30_000, max: 5000 } }],
  ['an unknown field', { enforced: [] }],
])('readPolicy() refuses %s, even signed by an owner', (_, change) => {
  const { payload } = signPolicy(choices, owner);
  const signed = signDocument('attestation-policy', { ...payload, ...change }, owner);
  expect(() => readPolicy(signed, [owner.public])).toThrow(
    expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
  );
});
