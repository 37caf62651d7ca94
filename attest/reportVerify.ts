// Judges an attestation report offline: no agent, no TPM, no network, no clock of its own. Evidence is
// judged by attest/verify.ts as everywhere; this adds what a reader who was not there can know, and says
// of everything else that it was not checked.
import type { X509Certificate } from 'node:crypto';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { fromB64url, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import { parseAttest } from '#attest/tpm/attest.ts';
import { fail, notChecked, pass, verdictOf, type Check, type Verdict } from './check.ts';
import { parseEkCertificate, trustEk } from './ek.ts';
import type { Enrolment } from './enrolment.ts';
import type { ReportBody } from './report.ts';
import {
  asOf,
  countsUntilMs,
  freshnessCheck,
  MAX_SKEW_MS,
  type AsOf,
  type Moment,
} from './reportAge.ts';
import { openReport, type Signed } from './reportOpen.ts';
import { ownersWord, type OwnersWord } from './reportOwned.ts';
import { withClaim } from './checkClaim.ts';
import { verifyEvidence, type Appraisal } from './verify.ts';

export interface ReportQuestion {
  /** The file, whole. */
  readonly bytes: Bytes;
  /** Keys that the reader trusts; with none, nothing links the key to a TPM and no verdict is given. */
  readonly owners: readonly SigningPublic[];
  /** EK roots and intermediates; undefined when the reader has none. */
  readonly authorities: readonly X509Certificate[] | undefined;
  /** What the reader, or an owner for it, expects of a boot; absent: what was enrolled. */
  readonly reference?: ReferencePolicy | undefined;
  /** What the reader asks about. */
  readonly at: Moment;
  /** Unix milliseconds, by the reader's clock. */
  readonly nowMs: number;
}

/** What a report says and how far that holds. */
export interface ReportAppraisal {
  readonly verdict: Verdict;
  readonly checks: readonly Check[];
  /** SHA-256 of the file, hex. */
  readonly digest: string;
  /** Present when the report's form and signatures held. */
  readonly told: Told | undefined;
}

/** What the signer of a report said, whoever that is. */
export interface Told extends Signed {
  readonly asOf: AsOf;
  /** Until when the owners' policy lets the attestation count, Unix milliseconds; undefined without one. */
  readonly countsUntilMs: number | undefined;
  readonly enrolment: Enrolment | undefined;
  /** Key id of the owner who vouches for enrolment and policy, if one of the reader's does. */
  readonly owner: string | undefined;
  /** SHA-256 of the policy document, hex; undefined when the report holds none. */
  readonly policyHash: string | undefined;
  /** Index to hex value, as the TPM signed them; empty when no quote held. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** Subjects from the EK's issuer to its root; empty unless that was checked. */
  readonly ekChain: readonly string[];
}

/** Appraises a report. Errors: DOCUMENT_MALFORMED when it is none; a bad one is a verdict. */
export function verifyReport(question: ReportQuestion): ReportAppraisal {
  const { digest, checks: opening, signed } = openReport(question.bytes);
  if (signed === undefined) {
    const text =
      'Nothing of a report that was changed is looked at: whatever it says may be made up.';
    const checks = [...opening, notChecked('evidence', text, 'none')];
    return { verdict: verdictOf(checks), checks, digest, told: undefined };
  }
  const { body } = signed;
  const { at, nowMs } = question;
  const moment = asOf(at, body.issuedAt, nowMs);
  const word = ownersWord(body, question.owners);
  const evidence = evidenceChecks(signed, word, question.reference, moment.ms);
  const chain = chainCheck(body, word, question.authorities, moment.ms);
  const times = { ...body, ...signed.stated };
  const lifetimeMs = word.policy?.lifetimeMs;
  const checks = [
    ...opening,
    statementCheck(signed),
    ...word.checks,
    ...evidence.checks,
    chain.check,
    freshnessCheck(times, lifetimeMs, moment, nowMs),
    ...said(body, word, evidence.checks),
  ].map(withClaim);
  const { pcrs } = evidence;
  const { enrolment, owner, policyHash } = word;
  const { ekChain } = chain;
  const told = {
    ...signed,
    asOf: moment,
    countsUntilMs: lifetimeMs === undefined ? undefined : countsUntilMs(times, lifetimeMs),
    enrolment,
    owner,
    policyHash,
    pcrs,
    ekChain,
  };
  return { verdict: verdictOf(checks), checks, digest, told };
}

/** The statement, the evidence that carries it and the report that is signed by it name one node. */
function statementCheck({ body, stated }: Signed): Check {
  const name = 'statement';
  const signer = `${stated.node} in ${stated.domain}/${stated.cluster}, ${stated.sid}`;
  const subject = `${body.node} in ${body.domain}/${body.cluster}, ${body.sid}`;
  if (signer !== subject) {
    return fail(name, `The report is about ${subject}, but it is signed by keys of ${signer}.`);
  }
  const times = [stated.issuedAtMs, body.attestedAt, body.issuedAt] as const;
  if (times[0] > times[1] + MAX_SKEW_MS || times[1] > times[2] + MAX_SKEW_MS) {
    return fail(name, 'Statement, quote and report do not follow each other in time.');
  }
  return pass(name, `The statement in the evidence is that of ${subject}, whose keys signed.`);
}

function evidenceChecks(
  { body, stated }: Signed,
  { enrolment, endorsedBy, policy, policyHash, owner }: OwnersWord,
  reference: ReferencePolicy | undefined,
  nowMs: number,
): Pick<Appraisal, 'checks' | 'pcrs'> {
  if (policy === undefined || enrolment === undefined) {
    const text = 'Without enrolment and policy there is nothing to hold the evidence against.';
    return { checks: [notChecked('evidence', text, 'none')], pcrs: {} };
  }
  const { node, domain, cluster, evidence } = body;
  const appraisal = verifyEvidence({
    evidence,
    expected: { node, domain, cluster, statementHash: stated.hash },
    enrolment,
    endorsedBy,
    policy,
    reference,
    acceptableBases: () => true, // only the cluster knows its records; challengeCheck says so
    nowMs,
  });
  const checks = appraisal.checks
    .filter(({ name }) => name !== 'statement') // this reader has no other to compare it with
    .map((check) => (check.name === 'challenge' ? challengeCheck(body, policyHash) : check));
  const linked = checks.flatMap((check) =>
    check.name === AK ? [check, keyLinkCheck(enrolment, checks)] : [check],
  );
  return { checks: owner === undefined ? linked.map(unvouched) : linked, pcrs: appraisal.pcrs };
}

function challengeCheck({ evidence }: ReportBody, policyHash: string | undefined): Check {
  const { basis } = evidence.challenge;
  return notChecked(
    'challenge',
    basis === policyHash
      ? 'The quote answers a challenge on the owners’ policy, as before a cluster’s first record. The age of the quote rests on the node’s own clock.'
      : `The quote answers a challenge on epoch record ${basis.slice(0, 16)}.., and which that is only the cluster knows. The age of the quote rests on the node’s own clock.`,
  );
}

const AK = 'attestation key';
const KEY_LINK = 'AK belongs to EK';

/** Nothing but an enrolment ties the key that signed the quote to a TPM (PROTOCOL 3.1). */
function keyLinkCheck({ ekDigest, akName, issuedAt }: Enrolment, checks: readonly Check[]): Check {
  const parts = ['endorsement key', AK, 'enrolment'];
  const agree = parts.every((part) => checks.find(({ name }) => name === part)?.result === 'pass');
  return agree
    ? pass(
        KEY_LINK,
        `An owner saw the TPM with EK ${ekDigest.slice(0, 16)}.. prove by credential activation that it holds AK ${akName.slice(0, 20)}.., and signed that at ${isoTime(issuedAt)}.`,
      )
    : fail(KEY_LINK, 'The enrolment is not for this node, EK and AK.');
}

/** Claims that hold only as far as an owner's word does. */
const RESTS_ON_OWNERS = /^(?:enrolment|policy|bank|endorsement key|attestation key|PCR \d+)$/;

function unvouched(check: Check): Check {
  const { name, result } = check;
  if (result === 'fail' || !(name === KEY_LINK || RESTS_ON_OWNERS.test(name))) return check;
  const text = 'It agrees with what the report itself carries; no owner vouches for that.';
  return notChecked(name, text, 'none');
}

function chainCheck(
  { evidence }: ReportBody,
  { owner }: OwnersWord,
  authorities: ReportQuestion['authorities'],
  atMs: number,
): { readonly check: Check; readonly ekChain: readonly string[] } {
  const name = 'EK certificate chain';
  if (authorities === undefined) {
    const before = owner !== undefined ? ' The owner checked it at enrolment.' : '';
    const text = `No roots of TPM makers were given (--roots).${before}`;
    return { check: notChecked(name, text), ekChain: [] };
  }
  try {
    const certificate = parseEkCertificate(fromB64url(evidence.ekCertificate));
    const trust = trustEk(certificate, authorities, atMs);
    return trust.trusted
      ? { check: pass(name, `By ${trust.chain.join(', by ')}.`), ekChain: trust.chain }
      : { check: fail(name, `Not trusted: ${trust.why}.`), ekChain: [] };
  } catch (error) {
    return { check: fail(name, `${messageOf(error)}.`), ekChain: [] };
  }
}

const FIRMWARE = 'TPM firmware';

/** Said openly, so that nobody takes silence for a pass. */
const said = (
  body: ReportBody,
  { enrolment, policy }: OwnersWord,
  before: readonly Check[],
): Check[] => [
  ...(before.some(({ name }) => name === FIRMWARE)
    ? []
    : [notChecked(FIRMWARE, `${firmwareOf(body)} No reference value for it is enrolled.`)]),
  notChecked(
    'revocation',
    `Enrolment of ${enrolment ? isoTime(enrolment.issuedAt) : 'unknown date'}, policy of ${policy ? isoTime(policy.issuedAt) : 'unknown date'}: whether the owners have replaced or withdrawn one since cannot be seen offline. Ask an owner.`,
  ),
  notChecked(
    'node facts',
    'Host, agent version and epochs are the node’s own word under its signature; nothing measured stands behind them.',
  ),
];

function firmwareOf({ evidence }: ReportBody): string {
  try {
    return `The quote names version ${parseAttest(fromB64url(evidence.quote.message)).firmwareVersion}.`;
  } catch {
    return 'There is no quote that could name a version.';
  }
}

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();
