// Judges a node's evidence against its enrolment and the owners' policy. Pure: no TPM, no network, no
// clock. It never throws on bad evidence, and it states nothing that a signature does not cover.
import type { NodeName } from '#agent/base/brands.ts';
import { equal, fromB64url, fromHex, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { checkEventLog } from '#attest/eventlog/check.ts';
import { bootChecks } from '#attest/policy/boot.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import { strictest, unnamedBy } from '#attest/policy/scope.ts';
import type { TpmClock } from '#attest/tpm/attest.ts';
import {
  ATTESTATION_KEY,
  missingAttributes,
  parsePublic,
  type TpmPublic,
} from '#attest/tpm/public.ts';
import { bankCheck } from './bank.ts';
import { qualifyingData } from './binding.ts';
import { fail, notChecked, pass, verdictOf, type Check, type Verdict } from './check.ts';
import { parseEkCertificate } from './ek.ts';
import type { Enrolment } from './enrolment.ts';
import { evidenceSchema, type Evidence } from './evidence.ts';
import { quotedPcrs, type AttestationPolicy } from './policy.ts';
import { verifyQuote, type PcrValues } from './quote.ts';
import { referenceChecks } from './reference.ts';

export interface Expected {
  readonly node: NodeName;
  readonly domain: string;
  readonly cluster: string;
  /** SHA-256 of the statement that the evidence must speak for. */
  readonly statementHash: Bytes;
}

export interface AppraisalRequest {
  /** As received. */
  readonly evidence: unknown;
  readonly expected: Expected;
  /** Undefined when there is none of such a node. */
  readonly enrolment: Enrolment | undefined;
  /** Nodes that endorsed it under a delegation; none: an owner signed it himself. */
  readonly endorsedBy?: readonly NodeName[] | undefined;
  readonly policy: AttestationPolicy;
  /** What the owners expect of a boot; it stands in for enrolled values of the registers that it names. */
  readonly reference?: ReferencePolicy | undefined;
  /** Whether a challenge on this record or policy hash (hex) is recent enough. */
  readonly acceptableBases: (basis: string) => boolean;
  /** Unix milliseconds, noted in the result. */
  readonly nowMs: number;
  /** Clock of the last evidence accepted from this node. */
  readonly previousClock?: TpmClock | undefined;
}

export interface Appraisal {
  readonly verdict: Verdict;
  readonly checks: readonly Check[];
  /** Index to hex value, as the TPM signed them; empty when nothing was verified. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** As the TPM signed it; undefined when nothing was verified. */
  readonly clock: TpmClock | undefined;
  readonly atMs: number;
}

/**
 * True when the enrolled TPM itself signed this for this statement and challenge, whatever the
 * verdict: then a bad verdict is the node's own and not that of somebody who sent in garbage.
 */
export const isAuthentic = ({ clock }: Appraisal): boolean => clock !== undefined;

/** Appraises evidence (PROTOCOL 3.1). Never throws. */
export function verifyEvidence(request: AppraisalRequest): Appraisal {
  const read = evidenceSchema.safeParse(request.evidence);
  if (!read.success) {
    const problems = problemsOf(read.error).slice(0, 5).join('; ');
    return conclude(request, [fail('evidence', `Not evidence: ${problems.slice(0, 500)}.`)]);
  }
  if (request.enrolment === undefined) {
    const text = `${request.expected.node} is not enrolled. Run tidelock enroll on it.`;
    return conclude(request, [notChecked('enrolment', text, 'none')]);
  }
  const evidence = read.data;
  const identity = identityChecks(evidence, request.enrolment, request);
  const ak = attestationKey(evidence, request.enrolment);
  const checks = [...identity, ...ak.checks];
  if (ak.key === undefined) return conclude(request, checks);
  return appraiseQuote(request, request.enrolment, evidence, ak.key, checks);
}

interface Signed {
  readonly pcrs: PcrValues;
  readonly clock: TpmClock;
}

function conclude(request: AppraisalRequest, checks: readonly Check[], signed?: Signed): Appraisal {
  const pcrs = Array.from(signed?.pcrs ?? [], ([pcr, value]) => [String(pcr), hex(value)] as const);
  return {
    verdict: verdictOf(checks),
    checks,
    pcrs: Object.fromEntries(pcrs),
    clock: signed?.clock,
    atMs: request.nowMs,
  };
}

/** Names, bank, statement and challenge: cheap, and all of them public. */
function identityChecks(
  evidence: Evidence,
  enrolment: Enrolment,
  { expected, policy, acceptableBases, endorsedBy = [] }: AppraisalRequest,
): Check[] {
  const { node, domain, cluster } = expected;
  const place = `${domain}/${cluster}`;
  const enrolled = `${enrolment.node} in ${enrolment.domain}/${enrolment.cluster}`;
  const { basis } = evidence.challenge;
  return [
    enrolled === `${node} in ${place}`
      ? pass('enrolment', `${enrollersOf(endorsedBy)} as ${enrolled}.`)
      : fail('enrolment', `The enrolment is for ${enrolled}, not for ${node} in ${place}.`),
    `${policy.domain}/${policy.cluster}` === place
      ? pass('policy', `The owners’ policy for ${place}.`)
      : fail('policy', `The policy is for ${policy.domain}/${policy.cluster}, not for ${place}.`),
    evidence.bank === policy.bank
      ? pass('bank', `Quoted in ${policy.bank}, as the policy asks.`)
      : fail('bank', `Quoted in ${evidence.bank}, the policy asks for ${policy.bank}.`),
    equal(sha256(fromB64url(evidence.statement)), expected.statementHash)
      ? pass('statement', 'The evidence carries the expected node statement.')
      : fail('statement', 'The evidence carries another node statement than expected.'),
    acceptableBases(basis)
      ? pass('challenge', 'The challenge rests on a recent record.')
      : fail(
          'challenge',
          `The challenge rests on ${basis.slice(0, 16)}.., which is unknown or too old: an old quote, or a node that missed records. It attests again by itself.`,
        ),
  ];
}

const enrollersOf = (endorsedBy: readonly NodeName[]): string =>
  endorsedBy.length === 0
    ? 'Enrolled by an owner'
    : `Enrolled by ${endorsedBy.join(' and ')}, to whom owners delegated it,`;

/** The key is good only as the one that enrolment tied to this TPM (ATTESTATION trap 5). */
function attestationKey(
  evidence: Evidence,
  enrolment: Enrolment,
): { readonly checks: Check[]; readonly key?: TpmPublic } {
  const name = 'attestation key';
  let key: TpmPublic;
  let ekDigest: string;
  try {
    key = parsePublic(fromB64url(evidence.akPublic));
    ekDigest = parseEkCertificate(fromB64url(evidence.ekCertificate)).digest;
  } catch (error) {
    return { checks: [fail(name, `${messageOf(error)}.`)] };
  }
  const ek =
    ekDigest === enrolment.ekDigest
      ? pass('endorsement key', 'The EK certificate is that of the enrolled TPM.')
      : fail(
          'endorsement key',
          `EK ${ekDigest.slice(0, 16)}.. is not the enrolled ${enrolment.ekDigest.slice(0, 16)}..: another TPM. If the machine was replaced, enrol it again.`,
        );
  const missing = missingAttributes(key, ATTESTATION_KEY);
  if (missing.length > 0) {
    const text = `The key is not ${missing.join(', ')}: it could sign a made-up quote. Use the AK that tidelock makes.`;
    return { checks: [ek, fail(name, text)] };
  }
  if (!equal(key.name, fromHex(enrolment.akName))) {
    const text = `Key ${hex(key.name).slice(0, 20)}.. is not the enrolled ${enrolment.akName.slice(0, 20)}..: the TPM was cleared or is another one. If that was intended, enrol the node again.`;
    return { checks: [ek, fail(name, text)] };
  }
  return { checks: [ek, pass(name, 'Enrolled, restricted to what the TPM itself composes.')], key };
}

function appraiseQuote(
  request: AppraisalRequest,
  enrolment: Enrolment,
  evidence: Evidence,
  key: TpmPublic,
  before: readonly Check[],
): Appraisal {
  const { policy, reference, expected, previousClock } = request;
  const { basis, random } = evidence.challenge;
  const challenge = { basis, random: fromB64url(random) };
  const pcrs = askedValues(evidence, policy);
  const answer = verifyQuote({
    message: fromB64url(evidence.quote.message),
    signature: fromB64url(evidence.quote.signature),
    key,
    qualifyingData: qualifyingData(challenge, expected.statementHash),
    bank: policy.bank,
    pcrs,
    previousClock,
  });
  const quoteChecks = [...before, ...answer.checks];
  if (!answer.holds || answer.attest === undefined) return conclude(request, quoteChecks);
  const eventLog = fromB64url(evidence.eventLog);
  const log = checkEventLog(eventLog, policy.bank, pcrs);
  const checks = [
    ...quoteChecks,
    bankCheck(policy.bank, pcrs),
    ...referenceChecks(unnamedBy(reference, policy), enrolment.reference, pcrs, log.replayed),
    ...(reference === undefined
      ? []
      : bootChecks({
          policy: strictest(reference, policy),
          eventLog,
          bank: policy.bank,
          quoted: pcrs,
          firmwareVersion: answer.attest.firmwareVersion,
          atMs: request.nowMs,
        })),
    ...log.checks,
    ...UNCHECKED,
  ];
  const bound = before.every(({ result }) => result !== 'fail');
  return conclude(request, checks, bound ? { pcrs, clock: answer.attest.clock } : undefined);
}

/** The values claimed for the registers that the policy asks for; one left out fails the digest. */
const askedValues = ({ pcrs }: Evidence, policy: AttestationPolicy): PcrValues =>
  new Map(quotedPcrs(policy).map((pcr) => [pcr, fromHex(pcrs[String(pcr)] ?? '')]));

/** Said openly, so that nobody takes silence for a pass. */
const UNCHECKED: readonly Check[] = [
  notChecked(
    'IMA',
    'PCR 10 is quoted, but no IMA list is replayed: which programs ran is not judged.',
  ),
  notChecked(
    'confidential computing',
    'No SEV-SNP, TDX or other CC report is part of this evidence: memory encryption is not judged.',
  ),
];
