import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import type { Evidence } from './evidence.ts';
import { isAuthentic, verifyEvidence, type Appraisal, type AppraisalRequest } from './verify.ts';

const { evidence } = fixture;

const judge = (change: Partial<AppraisalRequest>): Appraisal =>
  verifyEvidence({ ...goodRequest, ...change });
const judgeEvidence = (change: Partial<Evidence>): Appraisal =>
  judge({ evidence: { ...evidence, ...change } });
const failed = ({ checks }: Appraisal): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);
const textOf = ({ checks }: Appraisal, name: string): string =>
  checks.find((check) => check.name === name)?.text ?? '';

it('verifyEvidence() affirms a node that is as enrolled, and says what it did not check', () => {
  const appraisal = judge({});
  expect(failed(appraisal)).toEqual([]);
  expect(appraisal).toMatchObject({
    verdict: 'affirming',
    pcrs: evidence.pcrs,
    atMs: goodRequest.nowMs,
  });
  expect(isAuthentic(appraisal)).toBe(true);
  const unchecked = appraisal.checks.filter(({ result }) => result === 'not checked');
  expect(unchecked.map(({ name }) => name)).toEqual(['IMA', 'confidential computing']);
});

it.each<[string, Partial<AppraisalRequest>, string]>([
  [
    'another node',
    { expected: { ...goodRequest.expected, node: 'node-b' as NodeName } },
    'enrolment',
  ],
  ['another domain', { expected: { ...goodRequest.expected, domain: 'example.net' } }, 'enrolment'],
  ['another cluster', { expected: { ...goodRequest.expected, cluster: 'prod' } }, 'policy'],
  [
    'another statement',
    { expected: { ...goodRequest.expected, statementHash: Buffer.alloc(32) } },
    'statement',
  ],
  ['a challenge too old', { acceptableBases: () => false }, 'challenge'],
  [
    'another TPM',
    { enrolment: { ...goodRequest.enrolment, ekDigest: '0'.repeat(64) } },
    'endorsement key',
  ],
  [
    'another key',
    { enrolment: { ...goodRequest.enrolment, akName: '0'.repeat(68) } },
    'attestation key',
  ],
  ['another bank', { policy: { ...goodRequest.policy, bank: 'sha384' } }, 'bank'],
  [
    'more registers than quoted',
    { policy: { ...goodRequest.policy, warn: [14] } },
    'PCR selection',
  ],
  [
    'fewer registers than quoted',
    { policy: { ...goodRequest.policy, enforce: [0] } },
    'PCR selection',
  ],
])('verifyEvidence() contraindicates evidence for %s', (_, change, check) => {
  const appraisal = judge(change);
  expect(appraisal).toMatchObject({ verdict: 'contraindicated', pcrs: {}, clock: undefined });
  expect(failed(appraisal)).toContain(check);
  expect(isAuthentic(appraisal)).toBe(false);
});

it('verifyEvidence() contraindicates a replayed nonce', () => {
  const challenge = { ...evidence.challenge, random: b64url(Buffer.alloc(32, 8)) };
  expect(failed(judgeEvidence({ challenge }))).toEqual(['nonce']);
});

it('verifyEvidence() contraindicates a relay: a quote that speaks for other channel keys', () => {
  const statement = b64url(Buffer.from('{"node":"attacker"}'));
  expect(failed(judgeEvidence({ statement }))).toEqual(['statement']);
});

it.each(['message', 'signature'] as const)(
  'verifyEvidence() contraindicates a quote %s with any byte altered, and claims nothing from it',
  (part) => {
    const bytes = fromB64url(evidence.quote[part]);
    for (let i = 0; i < bytes.length; i += 1) {
      const quote = { ...evidence.quote, [part]: b64url(flipped(bytes, i, i % 8)) };
      expect(judgeEvidence({ quote })).toMatchObject({
        verdict: 'contraindicated',
        pcrs: {},
        clock: undefined,
      });
    }
  },
);

it('verifyEvidence() contraindicates a key that could sign anything, even were it enrolled', () => {
  const area = fromB64url(evidence.akPublic);
  area.writeUInt32BE(area.readUInt32BE(6) & ~(1 << 16), 6);
  const appraisal = judgeEvidence({ akPublic: b64url(area) });
  expect(textOf(appraisal, 'attestation key')).toBe(
    'The key is not restricted: it could sign a made-up quote. Use the AK that tidelock makes.',
  );
  expect(appraisal.verdict).toBe('contraindicated');
});

it('verifyEvidence() contraindicates a register that differs from enrolment, in words', () => {
  const { reference } = goodRequest.enrolment;
  const pcrs = { ...reference.pcrs, 4: 'ab'.repeat(32) };
  const appraisal = judge({
    enrolment: { ...goodRequest.enrolment, reference: { ...reference, pcrs } },
  });
  expect(failed(appraisal)).toEqual(['PCR 4']);
  expect(textOf(appraisal, 'PCR 4')).toContain('is not the enrolled abababababababab..');
  expect(appraisal.verdict).toBe('contraindicated');
  expect(isAuthentic(appraisal)).toBe(true);
});

it('verifyEvidence() gives no verdict where a reference value is missing', () => {
  const { 7: _, ...pcrs } = goodRequest.enrolment.reference.pcrs;
  const reference = { ...goodRequest.enrolment.reference, pcrs };
  const appraisal = judge({ enrolment: { ...goodRequest.enrolment, reference } });
  expect(appraisal.verdict).toBe('none');
  expect(textOf(appraisal, 'PCR 7')).toContain('no sha256 reference value is enrolled');
});

it('verifyEvidence() gives no verdict on a node that nobody enrolled', () => {
  const appraisal = judge({ enrolment: undefined });
  expect(appraisal).toMatchObject({ verdict: 'none', pcrs: {} });
  expect(textOf(appraisal, 'enrolment')).toBe('node-a is not enrolled. Run tidelock enroll on it.');
});

it('verifyEvidence() warns of a log that does not lead to the quoted values', () => {
  const log = writeEventLog([{ pcr: 4, type: 'EV_SEPARATOR', data: Buffer.alloc(4) }], ['sha256']);
  const appraisal = judgeEvidence({ eventLog: b64url(log) });
  expect(appraisal.verdict).toBe('warning');
  expect(textOf(appraisal, 'event log')).toContain('PCR 0, 1, 2, 3, 4, 5, 6, 7 differ');
});

it('verifyEvidence() affirms without an event log, which only explains', () => {
  const appraisal = judgeEvidence({ eventLog: '' });
  expect(appraisal.verdict).toBe('affirming');
  expect(textOf(appraisal, 'event log')).toContain('could not be explained');
});

it('verifyEvidence() refuses a clock that went back', () => {
  const { clock } = judge({});
  if (clock === undefined) throw new Error('good evidence has a clock');
  const later = judge({ previousClock: { ...clock, resetCount: clock.resetCount + 1 } });
  expect(failed(later)).toEqual(['TPM clock']);
  expect(later.verdict).toBe('contraindicated');
});

it('verifyEvidence() never throws, and never affirms anything but the evidence', () => {
  const fields = Object.keys(evidence) as (keyof Evidence)[];
  const junk = fc.oneof(
    fc.jsonValue(),
    fc.base64String().map((s) => s.replaceAll('=', '')),
  );
  fc.assert(
    fc.property(fc.constantFrom(...fields), junk, (field, value) => {
      const appraisal = judge({ evidence: { ...evidence, [field]: value } });
      const harmless = field === 'v' ? value === 1 : field === 'eventLog' && value === '';
      if (!harmless) expect(appraisal.verdict).not.toBe('affirming');
    }),
  );
});

it.each([undefined, null, 7, 'evidence', [], {}, { ...evidence, v: 2 }])(
  'verifyEvidence() contraindicates what is no evidence: %#',
  (value) => {
    const appraisal = judge({ evidence: value });
    expect(appraisal.verdict).toBe('contraindicated');
    expect(textOf(appraisal, 'evidence')).toContain('Not evidence: ');
  },
);
