// Judges a made SNP report under a policy that trusts its root, and gives what tests ask about.
import { verdictOf } from '#attest/check.ts';
import { NO_SNP_POLICY, type SnpPolicy } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import type { RevocationList } from '#attest/x509/crl.ts';
import type { MadeSnp } from './snp.ts';

/** When every made certificate is valid. */
export const SNP_WHEN = Date.UTC(2026, 0, 1);

/** The appraisal, its verdict, the names of failing checks, and the text of a check by name. */
export function judgeSnp(
  { report, certificates, root }: Pick<MadeSnp, 'report' | 'certificates' | 'root'>,
  policy: Partial<SnpPolicy> = {},
  revocationLists: readonly RevocationList[] = [],
) {
  const appraisal = verifySnpReport({
    report,
    certificates,
    policy: { ...NO_SNP_POLICY, roots: [root], ...policy },
    revocationLists,
    atMs: SNP_WHEN,
  });
  const failed = appraisal.checks.filter(({ result }) => result === 'fail').map(({ name }) => name);
  const text = (name: string) => appraisal.checks.find((each) => each.name === name)?.text;
  return { ...appraisal, verdict: verdictOf(appraisal.checks), failed, text };
}
