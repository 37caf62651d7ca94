// The appraisal of a report as an attestation result for other relying parties. It judges nothing.
import type { SigningKey } from '#agent/base/asymmetric.ts';
import { VERSION } from '#agent/version.ts';
import { earClaims, signEar } from '#attest/ear/make.ts';
import type { ReportAppraisal } from '#attest/reportVerify.ts';

/** A JSON Web Token by `signer` that says what came of verifying a report, issued at `nowMs`. */
export function earOfReport(
  { checks, digest, told }: ReportAppraisal,
  signer: SigningKey,
  nowMs: number,
): string {
  const subject = {
    name: told?.body.node ?? 'report',
    checks,
    policyId: told?.owner === undefined ? undefined : `sha256:${told.policyHash}`,
    counts: told && { fromMs: told.asOf.ms, untilMs: told.countsUntilMs },
    details: { report_sha256: digest, ...(told === undefined ? {} : detailsOf(told)) },
  };
  const verifier = { developer: 'tidelock', build: `tidelock ${VERSION}` };
  return signEar(earClaims(subject, verifier, nowMs), signer);
}

const detailsOf = ({ body, asOf, keyId, owner, pcrs }: NonNullable<ReportAppraisal['told']>) => ({
  node: body.node,
  domain: body.domain,
  cluster: body.cluster,
  sid: body.sid,
  key_id: keyId,
  owner,
  attested_at: isoTime(body.attestedAt),
  judged_as_of: isoTime(asOf.ms),
  pcrs,
});

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();
