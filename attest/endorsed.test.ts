import { describe, expect, it, test } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { concat, hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { documentHash } from '#agent/base/signed.ts';
import { makeAk } from '#attest/testdata/quote.ts';
import {
  delegationOf,
  ekCertificateBy,
  ENDORSED_MS,
  ENDORSERS,
  endorsedBy,
  endorserOf,
  payloadOf,
  POLICY,
  REFERENCE,
  stranger,
  terms,
  type Changes,
} from '#attest/testdata/endorsed.ts';
import { coversNode } from './delegation.ts';
import { endorsementData, readEndorsed } from './endorsed.ts';
import { ATTRIBUTE } from '#attest/tpm/public.ts';

const good = endorsedBy();

/** Each document that differs from the given one in one leaf. */
function changed(value: Json): readonly (readonly [path: string, value: Json])[] {
  if (typeof value === 'string') {
    const middle = Math.floor(value.length / 2);
    const other = value[middle] === 'a' ? 'b' : 'a';
    return [['', `${value.slice(0, middle)}${other}${value.slice(middle + 1)}`]];
  }
  if (typeof value === 'number') return [['', value + 1]];
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return items.flatMap((item, at) =>
      changed(item).map(([path, other]) => [`.${at}${path}`, items.with(at, other)] as const),
    );
  }
  return Object.entries(value as Readonly<Record<string, Json>>).flatMap(([name, item]) =>
    changed(item).map(
      ([path, other]) => [`.${name}${path}`, { ...(value as object), [name]: other }] as const,
    ),
  );
}

/** The code with which a document is refused; `taken` where it is not. */
function refusal(document: unknown, on = terms): string {
  try {
    readEndorsed(document, on);
    return 'taken';
  } catch (error) {
    return error instanceof Error && 'code' in error
      ? `${String(error.code)}: ${error.message}`
      : '';
  }
}

describe('readEndorsed()', () => {
  it('gives the enrolment and the two that endorsed it', () => {
    const { enrolment, endorsers } = readEndorsed(good, terms);
    expect(enrolment).toEqual(payloadOf());
    expect(endorsers.map(({ node }) => node)).toEqual(['node-a', 'node-b']);
  });

  it('refuses a document of which any leaf is another', () => {
    const others = changed(good);
    expect(others.length).toBeGreaterThan(70); // else the walk itself is broken
    const taken = others.filter(([, document]) => refusal(document) === 'taken');
    expect(taken.map(([path]) => path)).toEqual([]);
  });

  const [a, b] = ENDORSERS;
  const nobody = generateSigningKey();
  const weakAk = makeAk('RSA', ATTRIBUTE.sign | ATTRIBUTE.fixedTPM);
  const moved = new Map([0, 4, 7].map((pcr) => [pcr, Buffer.alloc(32, 9)]));
  const fewer = new Map([0, 4].map((pcr) => [pcr, Buffer.alloc(32, pcr + 1)]));
  const more = new Map([0, 4, 7, 8].map((pcr) => [pcr, Buffer.alloc(32, pcr + 1)]));
  const at = (issuedAt: number): Json => payloadOf({ issuedAt });

  test.each<[string, Changes, RegExp]>([
    ['one agent twice', { by: [a, a] }, /not three, each with its own TPM/],
    [
      'two names of one key',
      { by: [a, endorserOf('node-d', 'ECC')] },
      /not three, each with its own TPM/,
    ],
    [
      'two names of one TPM',
      { by: [a, endorserOf('node-b', 'RSA', { ekDigest: a.enrolment.ekDigest })] },
      /not three, each with its own TPM/,
    ],
    [
      'the node itself',
      { by: [a, endorserOf('node-c', 'RSA')] },
      /not three, each with its own TPM/,
    ],
    [
      'an agent with the key of the node',
      { payload: payloadOf({ akName: a.enrolment.akName }) },
      /not three, each with its own TPM/,
    ],
    ['one agent', { by: [a] }, /DOCUMENT_MALFORMED/],
    ['three agents', { by: [a, b, a] }, /DOCUMENT_MALFORMED/],
    [
      'an agent that no owner has enrolled',
      { by: [a, endorserOf('node-b', 'RSA', {}, nobody)] },
      /SIGNATURE_INVALID/,
    ],
    [
      'an agent of another cluster',
      { by: [a, endorserOf('node-b', 'RSA', { cluster: 'other' })] },
      /by a node of another cluster/,
    ],
    [
      'an agent with a key that signs anything',
      { by: [a, endorserOf('node-b', 'RSA', {}, undefined, weakAk)] },
      /not the one that an owner enrolled/,
    ],
    ['agents that booted something else', { registers: moved }, /not as enrolled when it endorsed/],
    ['quotes of fewer registers', { registers: fewer }, /quote of node-a does not hold/],
    ['quotes of more registers', { registers: more }, /quote of node-a does not hold/],
    [
      'an agent enrolled in another bank',
      {
        by: [a, endorserOf('node-b', 'RSA', { reference: { ...REFERENCE, bank: 'sha384' } })],
      },
      /quote of node-b does not hold/,
    ],
    [
      'a delegation that no owner signed',
      { delegation: delegationOf({}, nobody) },
      /SIGNATURE_INVALID/,
    ],
    [
      'a delegation of another cluster',
      { delegation: delegationOf({ cluster: 'other' }) },
      /the delegation is for other/,
    ],
    [
      'a name that it does not cover',
      { delegation: delegationOf({ nodes: ['worker-*', 'node-cc'] }) },
      /covers worker-\*, node-cc, not node-c/,
    ],
    ['a time before it', { payload: at(ENDORSED_MS - 86_400_001) }, /the delegation begins/],
    ['a time after it', { payload: at(ENDORSED_MS + 86_400_001) }, /the delegation ended/],
    [
      'another boot state',
      { payload: payloadOf({ reference: { ...REFERENCE, pcrs: {} } }) },
      /not those of the delegation/,
    ],
    [
      'a TPM of another maker',
      { certificate: ekCertificateBy(stranger) },
      /not by a maker of the delegation/,
    ],
    [
      'another TPM of that maker',
      { payload: payloadOf({ ekDigest: '0'.repeat(64) }) },
      /the EK certificate is of another TPM/,
    ],
    [
      'a certificate that is none',
      { certificate: Buffer.from('certificate') },
      /ENDORSEMENT_INVALID/,
    ],
    ['what is no enrolment', { payload: { v: 1 } }, /no enrolment/],
  ])('refuses %s, rightly signed', (_what, change, why) => {
    expect(refusal(endorsedBy(change))).toMatch(why);
  });

  it('refuses what an endorsed node has endorsed', () => {
    const [first, second] = good.endorsements;
    const chained = { ...good, endorsements: [first, { ...second, enrolment: good }] };
    expect(refusal(chained)).toMatch(/DOCUMENT_MALFORMED/);
  });

  it('refuses endorsements of another enrolment or another delegation', () => {
    const { endorsements } = endorsedBy({ payload: payloadOf({ issuedAt: ENDORSED_MS + 1 }) });
    expect(refusal({ ...good, endorsements })).toMatch(/quote of node-a does not hold/);
    const delegation = delegationOf({ nodes: ['*'.padStart(5, 'n'), 'node-*'] });
    expect(refusal({ ...good, delegation })).toMatch(/quote of node-a does not hold/);
  });

  it('refuses it under a policy that endorsers were not enrolled for', () => {
    const policy = { ...POLICY, enforce: [0, 4, 7, 11] };
    expect(refusal(good, { ...terms, policy })).toMatch(/PCR 11/);
    const other = { ...POLICY, bank: 'sha384' } as const;
    expect(refusal(good, { ...terms, policy: other })).toMatch(/asks for sha384/);
  });

  it('refuses what is padded beyond its bound', () => {
    const delegation = { ...delegationOf(), note: 'x'.repeat(192 << 10) };
    expect(refusal({ ...good, delegation })).toMatch(/at most 196608/);
  });
});

test('endorsementData() is SHA-256 over a label, the payload and the delegation', () => {
  const [payload, delegation] = [payloadOf(), delegationOf()];
  const label = utf8('tidelock/endorsement/v1');
  const expected = sha256(concat(label, sha256(jcs(payload)), documentHash(delegation)));
  expect(hex(endorsementData(payload, delegation))).toBe(hex(expected));
});

test('coversNode() takes whole names and beginnings', () => {
  const covers = (name: string): boolean =>
    coversNode({ nodes: ['node-a', 'worker-*'] }, name as NodeName);
  for (const name of ['node-a', 'worker-', 'worker-1', 'worker-a.b'])
    expect(covers(name)).toBe(true);
  for (const name of ['node-', 'node-aa', 'worker', 'a-worker-1']) expect(covers(name)).toBe(false);
});
