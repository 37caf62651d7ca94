import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { signDocument } from '#agent/base/signed.ts';
import {
  isNewer,
  isRevoked,
  readRevocation,
  signRevocation,
  type Revocation,
} from './revocation.ts';

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
    ['more than there is', { untill: 3000 }],
    ['a quarantine that ends before it begins', { until: 1999 }],
    ['a revocation that repeats one', { revokedAt: 1000 }],
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
  expect(isRevoked({ issuedAt }, revocation, 9000)).toBe(expected);
  expect(isRevoked({ issuedAt }, undefined, 9000)).toBe(false);
});

it.each([
  [500, 3000, true],
  [500, 5000, true], // revoked before
  [501, 3000, true],
  [501, 4999, true],
  [501, 5000, false],
  [2000, 4999, true],
  [2001, 3000, false], // enrolled since
])('isRevoked() in a quarantine ends an enrolment of %i at %i: %s', (issuedAt, nowMs, expected) => {
  const quarantine = { ...revocation, until: 5000, revokedAt: 500 };
  expect(isRevoked({ issuedAt }, quarantine, nowMs)).toBe(expected);
});

it('isRevoked() in a quarantine by a clock that is behind goes up to the revocation that it repeats', () => {
  const quarantine = { ...revocation, until: 5000, revokedAt: 2500 };
  expect(isRevoked({ issuedAt: 2500 }, quarantine, 3000)).toBe(true);
  expect(isRevoked({ issuedAt: 2501 }, quarantine, 3000)).toBe(false);
});

describe('isNewer()', () => {
  const quarantine = (issuedAt: number, revokedAt?: number): Revocation => ({
    ...revocation,
    issuedAt,
    until: issuedAt + 1000,
    ...(revokedAt === undefined ? {} : { revokedAt }),
  });
  const revokedAt = (issuedAt: number): Revocation => ({ ...revocation, issuedAt });

  it.each<[string, Revocation, Revocation]>([
    ['a later revocation', revokedAt(2001), revokedAt(2000)],
    ['a revocation', revokedAt(2000), quarantine(9000)],
    ['a revocation that one does not repeat', revokedAt(2000), quarantine(9000, 1999)],
    ['a quarantine that repeats it', quarantine(3000, 2000), revokedAt(2000)],
    ['a later quarantine', quarantine(3001, 2000), quarantine(3000, 2000)],
    ['of one moment the later end', { ...quarantine(3000), until: 9000 }, quarantine(3000)],
    ['of one moment the one for good', revokedAt(3000), quarantine(3000, 3000)],
    ['a first revocation at the beginning of time', revokedAt(0), quarantine(9000)],
  ])('isNewer() prefers %s, and never both', (_, newer, older) => {
    expect(isNewer(newer, older)).toBe(true);
    expect(isNewer(older, newer)).toBe(false);
    expect(isNewer(newer, newer)).toBe(false);
  });
});
