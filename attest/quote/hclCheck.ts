// Judges the HCL report that came with a quote: that it speaks for the key which signed the quote, and
// that real hardware made it, as far as certificates are there to tell.
import type { X509Certificate } from 'node:crypto';
import { equal, hex } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { NO_SNP_POLICY, type SnpPolicy } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import type { HclReport } from './hcl.ts';
import type { AttestationKey } from './key.ts';

export interface HclEvidence {
  readonly report: HclReport;
  /** VCEK, ASK and ARK; none: the hardware report is not judged, and only SNP has any. */
  readonly certificates: readonly X509Certificate[];
  /** What is asked of the SNP report; undefined: as attest/snp/ does without one. */
  readonly policy?: SnpPolicy | undefined;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface HclAppraisal {
  readonly checks: readonly Check[];
  /** Of the hardware report, and of the runtime data that it binds. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Errors: EVIDENCE_MALFORMED when the hardware report is none. */
export function judgeHcl(evidence: HclEvidence, signer: AttestationKey): HclAppraisal {
  const { report } = evidence;
  const bound = bindingCheck(report, signer);
  const unjudged = unjudgedCheck(evidence);
  if (unjudged !== undefined) return { checks: [bound, about('hardware', unjudged)], claims: {} };
  const { certificates, atMs } = evidence;
  const asked = evidence.policy ?? NO_SNP_POLICY;
  const policy = { ...asked, report_data: [hex(report.runtimeDigest)] };
  const hardware = verifySnpReport({ report: report.hardware, certificates, policy, atMs });
  const checks = hardware.checks.map((check) => ({ ...check, name: `SNP ${check.name}` }));
  const isAuthentic = Object.keys(hardware.claims).length > 0;
  if (!isAuthentic || bound.result !== 'pass') return { checks: [bound, ...checks], claims: {} };
  return {
    checks: [about('instance-identity', bound), ...checks],
    claims: { snp: hardware.claims, runtime_data: report.runtime },
  };
}

function bindingCheck(report: HclReport, signer: AttestationKey): Check {
  const name = 'HCL report';
  const { key, kind } = report;
  if (!equal(report.reportData, report.runtimeDigest)) {
    const text = `The runtime data is not what the ${kind} report was made over: it was changed, or is of another boot.`;
    return about('instance-identity', fail(name, text));
  }
  if (!key.verifying.key.equals(signer.verifying.key)) {
    const text = 'The key that signed the quote is not the HCLAkPub of the report: another TPM.';
    return about('instance-identity', fail(name, text));
  }
  return pass(name, `The ${kind} report was made over runtime data that names the signing key.`);
}

/** Why the hardware report cannot be judged; undefined when it can. Its kind is what nobody signed. */
function unjudgedCheck({ report, certificates, policy }: HclEvidence): Check | undefined {
  const name = 'hardware report';
  if (report.kind === 'TDX') {
    const text =
      'A TDREPORT carries a MAC that only its own machine can check. Judge the TDX quote of the machine with `tidelock evidence tdx`';
    return certificates.length === 0 && policy === undefined
      ? notChecked(name, `${text}.`, 'warning')
      : fail(name, `An SNP report is asked for, by --vek or --snp-policy. ${text}, without those.`);
  }
  if (certificates.length > 0) return undefined;
  const text =
    'Without the certificate of the VCEK nothing says that AMD hardware made the SNP report. Give it with --vek.';
  return policy === undefined
    ? notChecked(name, text, 'warning')
    : notChecked(name, `${text} Until then nothing is held against the policy.`, 'none');
}
