import { expect, it } from 'vitest';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { policyOf, updatedBoot, warningOf } from '#attest/testdata/referencePolicy.ts';
import { verifyEvidence, type Appraisal } from '#attest/verify.ts';
import type { ReferencePolicy } from './document.ts';

const eventLog = fromB64url(fixture.evidence.eventLog);
const reference = policyOf([{ log: parseEventLog(eventLog), note: 'fixture' }]);
/** Nothing of it is enrolled: only the reference policy can make it good. */
const enrolment = { ...goodRequest.enrolment, reference: { bank: 'sha256' as const, pcrs: {} } };

const appraise = (under: ReferencePolicy | undefined, evidence = fixture.evidence): Appraisal =>
  verifyEvidence({ ...goodRequest, enrolment, evidence, reference: under });
const textOf = ({ checks }: Appraisal, name: string): string | undefined =>
  checks.find((check) => check.name === name && check.claim !== undefined)?.text;

it('verifyEvidence() affirms a node by a reference policy in place of enrolled values', () => {
  expect(appraise(undefined).verdict).toBe('none');
  expect(appraise(reference).verdict).toBe('affirming');
});

it('verifyEvidence() leaves registers that the reference policy does not name to enrolment', () => {
  const { 4: _, ...registers } = reference.registers;
  const appraisal = appraise({ ...reference, registers });
  expect(appraisal.verdict).toBe('none');
  expect(appraisal.checks).toContainEqual(
    expect.objectContaining({
      name: 'PCR 4',
      text: expect.stringMatching(/no sha256 reference value/) as string,
    }),
  );
});

const sent = (log: Uint8Array) => ({ ...fixture.evidence, eventLog: b64url(log) });

it('verifyEvidence() refuses another boot, a missing log and a log that is none', () => {
  const other = policyOf([
    { log: parseEventLog(writeEventLog(updatedBoot(4, 'another'), ['sha256'])), note: '' },
  ]);
  const appraisal = appraise(other);
  expect(appraisal.verdict).toBe('contraindicated');
  expect(textOf(appraisal, 'PCR 4')).toMatch(
    /^PCR 4: boot loader digest .* is not among the 1 enrolled/,
  );
  expect(appraise(reference, sent(Buffer.alloc(0))).verdict).toBe('none');
  expect(appraise(reference, sent(Buffer.from('no log'))).verdict).toBe('contraindicated');
});

it('verifyEvidence() refuses a log that says what the policy wants and not what was quoted', () => {
  const wanted = updatedBoot(4, 'what the policy wants');
  const log = writeEventLog(wanted, ['sha256']);
  const forged = appraise(policyOf([{ log: parseEventLog(log), note: '' }]), sent(log));
  expect(forged.verdict).toBe('contraindicated');
  expect(textOf(forged, 'PCR 4')).toContain('the log was edited');
});

it('verifyEvidence() enforces what the policy enforces, even if the reference policy only warns', () => {
  const other = policyOf([
    { log: parseEventLog(writeEventLog(updatedBoot(4, 'another'), ['sha256'])), note: '' },
  ]);
  expect(appraise(warningOf(other, 4)).verdict).toBe('contraindicated');
});

it('verifyEvidence() refuses a reference policy of another bank (trap 4)', () => {
  const sha384 = policyOf([{ log: parseEventLog(eventLog), note: '' }], {}, 'sha384');
  expect(textOf(appraise(sha384), 'reference policy')).toContain('bank confusion');
  expect(appraise(sha384).verdict).toBe('contraindicated');
});

it('verifyEvidence() compares the firmware of the TPM with that of the reference policy', () => {
  const known = textOf(appraise(reference), 'TPM firmware');
  const [version = ''] = /[0-9a-f]{16}/.exec(known ?? '') ?? [];
  expect(appraise({ ...reference, firmwareVersions: [version] }).verdict).toBe('affirming');
  const refused = appraise({ ...reference, firmwareVersions: ['0000000000000001'] });
  expect(refused.verdict).toBe('contraindicated');
  expect(textOf(refused, 'TPM firmware')).toMatch(/is not among the 1 of the reference policy/);
});
