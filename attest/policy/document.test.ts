import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { signDocument } from '#agent/base/signed.ts';
import {
  readPolicyDraft,
  readReferencePolicy,
  registersOf,
  signReferencePolicy,
  type PolicyEvent,
  type ReferencePolicy,
} from './document.ts';

const owner = generateSigningKey();
const event = (pcr: number, digest = 'aa'.repeat(32)): PolicyEvent => ({
  pcr,
  digests: { sha256: digest },
  about: 'boot loader',
});
const component = (name: string, events: PolicyEvent[]) => ({
  name,
  alternatives: [{ id: 'a', note: '', events }],
});
const policy: ReferencePolicy = {
  v: 1,
  name: 'reference',
  issuedAt: 1_800_000_000_000,
  bank: 'sha256',
  registers: { 11: 'warn', 4: 'enforce' },
  components: [component('boot-stage-1', [event(4)])],
  firmwareVersions: ['0007000200030004'],
};
const malformed = expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }) as Error;

it('readReferencePolicy() gives what an owner signed, and nothing that changed since', () => {
  const signed = signReferencePolicy(policy, owner);
  expect(readReferencePolicy(signed, [owner.public])).toEqual(policy);
  const invalid = expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as Error;
  const weaker = { ...signed, payload: { ...policy, registers: { 4: 'warn' } } };
  expect(() => readReferencePolicy(weaker, [owner.public])).toThrow(invalid);
  expect(() => readReferencePolicy(signed, [generateSigningKey().public])).toThrow(invalid);
  const other = signDocument('attestation-policy', policy, owner);
  expect(() => readReferencePolicy(other, [owner.public])).toThrow(malformed);
});

it('readReferencePolicy() tells a missing owner and a draft from a bad signature', () => {
  expect(outcomeOf(signReferencePolicy(policy, owner), [])).toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('--owner') as string,
  });
  expect(outcomeOf(policy, [owner.public])).toMatchObject({
    code: 'DOCUMENT_MALFORMED',
    message: expect.stringContaining('a draft') as string,
    hint: expect.stringContaining('tidelock policy sign') as string,
  });
});

function outcomeOf(...args: Parameters<typeof readReferencePolicy>): unknown {
  try {
    return readReferencePolicy(...args);
  } catch (error) {
    return error;
  }
}

it.each<[string, object]>([
  ['SHA-1', { bank: 'sha1' }],
  ['no register', { registers: {} }],
  ['PCR 10, which IMA moves', { registers: { 10: 'enforce' } }],
  ['a PCR that no TPM has', { registers: { 24: 'warn' } }],
  ['an unknown mode', { registers: { 4: 'ignore' } }],
  ['an event of PCR 10', { components: [component('ima', [event(10)])] }],
  ['an event without a digest of its bank', { bank: 'sha384' }],
  ['a digest of another length', { components: [component('x', [event(4, 'aa'.repeat(48))])] }],
  ['a component twice', { components: [component('x', []), component('x', [])] }],
  ['a component without an alternative', { components: [{ name: 'x', alternatives: [] }] }],
  [
    'an alternative twice',
    {
      components: [
        { name: 'x', alternatives: ['a', 'a'].map((id) => ({ id, note: '', events: [] })) },
      ],
    },
  ],
  ['no firmware version in a list of them', { firmwareVersions: [] }],
  ['an unknown field', { enforced: [] }],
])('readPolicyDraft() refuses %s', (_, change) => {
  expect(() => readPolicyDraft({ ...policy, ...change })).toThrow(malformed);
});

it('readPolicyDraft() takes floors for SNP and TDX guests as their own policies have them', () => {
  const guests = { snp: { v: 1, min_tcb: { snp: 8 } }, tdx: { v: 1, accept_tcb_status: [] } };
  expect(readPolicyDraft({ ...policy, ...guests })).toMatchObject(guests);
  expect(() => readPolicyDraft({ ...policy, snp: { v: 1, min_tcb: { snp: -1 } } })).toThrow(
    malformed,
  );
});

it('readPolicyDraft() ends in one error on any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(policy)), (value, key) => {
      for (const draft of [value, { ...policy, [key]: value }]) {
        try {
          readPolicyDraft(draft);
        } catch (error) {
          expect(error).toBeInstanceOf(TidelockError);
        }
      }
    }),
  );
});

it('registersOf() is rising', () => {
  expect(registersOf(policy)).toEqual([
    [4, 'enforce'],
    [11, 'warn'],
  ]);
});
