import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { signDocument } from '#agent/base/signed.ts';
import { isRevoked, readRevocation, signRevocation, type Revocation } from './revocation.ts';

const owner = generateSigningKey();
const stranger = generateSigningKey();
const revocation: Revocation = {
  v: 1,
  domain: 'example.org',
  cluster: 'c',
  node: 'node-b' as NodeName,
  reason: 'lost',
  issuedAt: 2000,
};

describe('readRevocation()', () => {
  it('readRevocation() gives what an owner signed', () => {
    expect(readRevocation(signRevocation(revocation, owner), [owner.public])).toEqual(revocation);
  });

  it.each<[string, object]>([
    ['another domain', { domain: 'example.net' }],
    ['another cluster', { cluster: 'd' }],
    ['another node', { node: 'node-c' }],
    ['another reason', { reason: 'found' }],
    ['another time', { issuedAt: 2001 }],
  ])('readRevocation() refuses %s put in after signing', (_, change) => {
    const signed = signRevocation(revocation, owner);
    const changed = { ...signed, payload: { ...signed.payload, ...change } };
    expect(() => readRevocation(changed, [owner.public])).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
  });

  it('readRevocation() refuses one by nobody who may, and an owner’s document of another kind', () => {
    const owned = (document: unknown) => () => readRevocation(document, [owner.public]);
    expect(owned(signRevocation(revocation, stranger))).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
    expect(owned(signDocument('enrolment', revocation, owner))).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
    );
  });

  it.each<[string, object]>([
    ['no reason', { reason: '' }],
    ['a reason without end', { reason: 'x'.repeat(1001) }],
    ['a node name that is none', { node: '../etc' }],
    ['more than there is', { until: 3000 }],
  ])('readRevocation() refuses %s, even signed by an owner', (_, change) => {
    const signed = signDocument('revocation', { ...revocation, ...change }, owner);
    expect(() => readRevocation(signed, [owner.public])).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }),
    );
  });
});

it.each([
  [1999, true],
  [2000, true],
  [2001, false],
])('isRevoked() ends an enrolment of %i: %s', (issuedAt, expected) => {
  expect(isRevoked({ issuedAt }, revocation)).toBe(expected);
  expect(isRevoked({ issuedAt }, undefined)).toBe(false);
});
