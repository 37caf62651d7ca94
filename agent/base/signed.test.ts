// Signed documents: what was signed verifies, and nothing that differs from it by anything does.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSigningKey } from './asymmetric.ts';
import { b64url, fromB64url, sha256 } from './bytes.ts';
import { TidelockError } from './errors.ts';
import { jcs, type Json } from './jcs.ts';
import {
  BOTH,
  ED25519_ONLY,
  documentHash,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from './signed.ts';

const owner = generateSigningKey();
const stranger = generateSigningKey();
const payload = { node: 'a.example', level: 3, tags: ['x', 'y'], nested: { on: true } };
const signed = signDocument('enrolment', payload, owner);

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof TidelockError ? error.code : String(error);
  }
  return 'accepted';
};
const verdict = (
  document: unknown,
  kind = 'enrolment',
  keys = [owner.public],
  algs = BOTH,
): string => codeOf(() => verifyDocument(document, kind, keys, algs));

describe('verifyDocument()', () => {
  it('verifyDocument() returns the payload that was signed, after a way through JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<Json>, (value) => {
        const document: unknown = JSON.parse(JSON.stringify(signDocument('any', value, owner)));
        const back = verifyDocument(document, 'any', [stranger.public, owner.public]);
        expect(jcs(back)).toEqual(jcs(value));
      }),
      { numRuns: 20 },
    );
  });

  it('verifyDocument() refuses a change of any member of the payload', () => {
    for (const change of [
      { node: 'b.example' },
      { level: 4 },
      { tags: ['x'] },
      { tags: ['y', 'x'] },
      { nested: { on: false } },
      { nested: {} },
      { extra: null },
    ]) {
      expect(verdict({ ...signed, payload: { ...payload, ...change } })).toBe('SIGNATURE_INVALID');
    }
    for (const name of Object.keys(payload)) {
      const less = Object.fromEntries(Object.entries(payload).filter(([key]) => key !== name));
      expect(verdict({ ...signed, payload: less }), name).toBe('SIGNATURE_INVALID');
    }
  });

  it('verifyDocument() does not mind the order of members', () => {
    const turned = Object.fromEntries(Object.entries(payload).toReversed());
    expect(verdict({ ...signed, payload: turned })).toBe('accepted');
  });

  it('verifyDocument() refuses a flipped bit anywhere in either signature', () => {
    for (const [which, signature] of signed.signatures.entries()) {
      const length = fromB64url(signature.sig).length;
      fc.assert(
        fc.property(fc.nat(length - 1), fc.nat(7), (at, bit) => {
          const bytes = fromB64url(signature.sig);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
          const signatures = signed.signatures.with(which, { ...signature, sig: b64url(bytes) });
          expect(verdict({ ...signed, signatures })).toBe('SIGNATURE_INVALID');
        }),
        { numRuns: 40 },
      );
    }
  });

  it('verifyDocument() refuses another kind, in the document and under its signature', () => {
    expect(verdict(signed, 'policy')).toBe('DOCUMENT_MALFORMED');
    expect(verdict({ ...signed, kind: 'policy' }, 'policy')).toBe('SIGNATURE_INVALID');
  });

  it('verifyDocument() refuses a signer that is not among the keys', () => {
    expect(verdict(signed, 'enrolment', [stranger.public])).toBe('SIGNATURE_INVALID');
    expect(verdict(signed, 'enrolment', [])).toBe('SIGNATURE_INVALID');
    const claimed = signDocument('enrolment', payload, stranger).signatures.map((signature) => ({
      ...signature,
      keyId: owner.keyId,
    }));
    expect(verdict({ ...signed, signatures: claimed })).toBe('SIGNATURE_INVALID');
  });

  it('verifyDocument() names a signer of two signatures once', () => {
    const once = new RegExp(`^Signed by ${owner.keyId}\\. `);
    expect(() => verifyDocument(signed, 'enrolment', [stranger.public])).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(once) as string }) as Error,
    );
  });

  it('verifyDocument() wants every algorithm, all by one key', () => {
    const [ed, ml] = signed.signatures;
    const others = signDocument('enrolment', payload, stranger).signatures;
    const both = [owner.public, stranger.public];
    expect(verdict({ ...signed, signatures: [ed] })).toBe('SIGNATURE_INVALID');
    expect(verdict({ ...signed, signatures: [ml] })).toBe('SIGNATURE_INVALID');
    expect(verdict({ ...signed, signatures: [] })).toBe('SIGNATURE_INVALID');
    expect(verdict({ ...signed, signatures: [ed, others[1]] }, 'enrolment', both)).toBe(
      'SIGNATURE_INVALID',
    );
    expect(
      verdict({ ...signed, signatures: [ed] }, 'enrolment', [owner.public], ED25519_ONLY),
    ).toBe('accepted');
  });

  it('verifyDocument() takes signatures of others beside the one it wants, up to eight', () => {
    const others = signDocument('enrolment', payload, stranger).signatures;
    const extra = [...others, ...signed.signatures];
    expect(verdict({ ...signed, signatures: extra })).toBe('accepted');
    const byMany = Array.from({ length: 7 }, (_, n) => ({ ...others[0], keyId: `other ${n}` }));
    expect(verdict({ ...signed, signatures: [...byMany, ...signed.signatures] })).toBe(
      'DOCUMENT_MALFORMED',
    );
    const six = byMany.slice(1);
    expect(verdict({ ...signed, signatures: [...six, ...signed.signatures] })).toBe('accepted');
  });

  it('verifyDocument() refuses two signatures of one algorithm and key id, though both are right', () => {
    const [ed, ml] = signed.signatures;
    expect(verdict({ ...signed, signatures: [ed, ml, ed] })).toBe('DOCUMENT_MALFORMED');
    const spoilt = { ...ed, sig: b64url(Buffer.alloc(64)) };
    expect(verdict({ ...signed, signatures: [spoilt, ml, ed] })).toBe('DOCUMENT_MALFORMED');
  });

  it('verifyDocument() refuses a right signature under another key id', () => {
    const signatures = signed.signatures.map((each) => ({ ...each, keyId: stranger.keyId }));
    expect(verdict({ ...signed, signatures })).toBe('SIGNATURE_INVALID');
  });

  it('verifyDocument() refuses a signature in another writing of base64url', () => {
    const [ed, ml] = signed.signatures;
    const padded = { ...ed, sig: `${ed?.sig}==` };
    expect(verdict({ ...signed, signatures: [padded, ml] })).toBe('DOCUMENT_MALFORMED');
  });

  it('verifyDocument() refuses signature algorithms that were exchanged', () => {
    const signatures = signed.signatures.map((signature) => ({
      ...signature,
      alg: signature.alg === 'Ed25519' ? 'ML-DSA-65' : 'Ed25519',
    }));
    expect(verdict({ ...signed, signatures })).toBe('SIGNATURE_INVALID');
  });

  it.each([
    ['a lone surrogate', '"\\ud800"'],
    ['an infinity', '1e999'],
    ['nesting without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('verifyDocument() refuses a payload with %s, which has no canonical form', (_, json) => {
    const altered = { ...signed, payload: JSON.parse(json) as Json };
    expect(verdict(altered)).toBe('DOCUMENT_MALFORMED');
  });

  it('verifyDocument() ends in one clear error for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(verdict(value)).toBe('DOCUMENT_MALFORMED');
      }),
    );
    const member = fc.constantFrom('v', 'kind', 'payload', 'signatures');
    fc.assert(
      fc.property(member, fc.jsonValue(), (name, value) => {
        const broken = verdict({ ...signed, [name]: value });
        expect(['DOCUMENT_MALFORMED', 'SIGNATURE_INVALID']).toContain(broken);
      }),
    );
  });
});

describe('documentHash()', () => {
  it('documentHash() covers version, kind and payload and not the signatures', () => {
    const again = signDocument('enrolment', payload, stranger);
    expect(documentHash(again)).toEqual(documentHash(signed));
    expect(documentHash({ ...signed, kind: 'policy' })).not.toEqual(documentHash(signed));
    const changed: SignedDocument = { ...signed, payload: { ...payload, level: 4 } };
    expect(documentHash(changed)).not.toEqual(documentHash(signed));
    expect(documentHash(signed)).toEqual(sha256(jcs({ v: 1, kind: 'enrolment', payload })));
  });
});
