// Judges an SEV-SNP attestation report: form, whose word it is, which machine and TCB it speaks of, how
// the guest was launched, and what it holds. Pure: bytes and a moment in, checks and claims out.
import type { X509Certificate } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { RevocationList } from '#attest/x509/crl.ts';
import { bindingChecks } from './binding.ts';
import { policyFault } from './bits.ts';
import { parseSnpEvidence } from './certificates.ts';
import { snpClaims } from './claims.ts';
import { judgeEndorsement } from './endorsement.ts';
import { floorChecks } from './floors.ts';
import { guestChecks } from './guest.ts';
import { NO_SNP_POLICY, type SnpPolicy } from './policy.ts';
import { referenceChecks } from './reference.ts';
import type { SnpReport } from './report.ts';

export interface SnpQuestion {
  /** The report, alone or followed by its certificate table. */
  readonly report: Bytes;
  /** VEK, ASK or ASVK and ARK, in any order; those of the table are added. */
  readonly certificates: readonly X509Certificate[];
  /** AMD's revocation lists; none: whether AMD took back a key is said not to be known. */
  readonly revocationLists?: readonly RevocationList[];
  /** Undefined: genuine hardware, no debugging, no migration agent, and nothing compared. */
  readonly policy?: SnpPolicy | undefined;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface SnpAppraisal {
  readonly checks: readonly Check[];
  /** Empty unless AMD's chain holds and the key under it signed the report. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Errors: EVIDENCE_MALFORMED when `report` is none. */
export function verifySnpReport(question: SnpQuestion): SnpAppraisal {
  const { policy = NO_SNP_POLICY, atMs } = question;
  const { report, certificates } = parseSnpEvidence(question.report);
  const { checks, vek, authentic } = judgeEndorsement(report, {
    certificates: [...question.certificates, ...certificates],
    roots: policy.roots ?? [],
    revocationLists: question.revocationLists ?? [],
    atMs,
  });
  const before = [formCheck(report), ...checks];
  if (vek === undefined) return { checks: [...before, NOT_AUTHENTIC], claims: {} };
  const bound = bindingChecks(report, vek);
  if (!authentic) {
    const contradictions = bound.filter(({ result }) => result === 'fail');
    return { checks: [...before, ...contradictions, NOT_AUTHENTIC], claims: {} };
  }
  const guest = [guestChecks, floorChecks, referenceChecks].flatMap((judge) =>
    judge(report, vek, policy),
  );
  return { checks: [...before, ...bound, ...guest], claims: snpClaims(report, vek) };
}

const NOT_AUTHENTIC = notChecked(
  'guest',
  'How the guest was launched and what it runs is not judged: nothing vouches for what the report says.',
  'none',
);

function formCheck(report: SnpReport): Check {
  const faults = [...report.faults, policyFault(report.policy) ?? []].flat();
  const name = 'report format';
  return faults.length === 0
    ? pass(name, `A report of version ${report.version}, as AMD 56860 lays it out.`)
    : fail(name, `No firmware writes such a report: ${faults.join('; ')}.`);
}
