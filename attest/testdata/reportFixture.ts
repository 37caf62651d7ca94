// A good report of a real software TPM, and variations of it that its own node, or somebody who has its
// keys, could sign.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSigningPublic, type SigningKey } from '#agent/base/asymmetric.ts';
import type { Sid } from '#agent/base/brands.ts';
import { fromB64url, hex, sha256, truncate, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { certificatesOf } from '#attest/roots/read.ts';
import { reportText, signReport, type ReportRequest } from '#attest/report.ts';
import type { ReportQuestion } from '#attest/reportVerify.ts';
import { FIXTURE_CLUSTER, FIXTURE_DOMAIN, FIXTURE_NODE } from './make.ts';
import { fixtureNodeKey, type ReportFixture } from './makeReport.ts';

export const reportFixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'report.json'), 'utf8'),
) as ReportFixture;

const { evidence, enrolment, policy, madeAtMs, owner, roots } = reportFixture;

export const reportOwner = decodeSigningPublic(fromB64url(owner));
export const reportRoots = roots.flatMap((pem) => certificatesOf(Buffer.from(pem)));

/** The fixture as a signed document, with `change`, signed by `key`. */
export const signedReport = (
  change: Partial<ReportRequest> = {},
  key: SigningKey = fixtureNodeKey,
): SignedDocument =>
  signReport({
    domain: FIXTURE_DOMAIN,
    cluster: FIXTURE_CLUSTER,
    node: FIXTURE_NODE,
    sid: hex(truncate(16, sha256(fromB64url(evidence.statement)))) as Sid,
    issuedAtMs: madeAtMs + 2000,
    attestedAtMs: madeAtMs,
    evidence,
    enrolment,
    policy,
    facts: { agent: { version: '0.1.0' }, host: { system: 'swtpm', virtual: true, cores: 2 } },
    ...change,
    key,
  });

/** The bytes of such a report's file. */
export const reportBytes = (change: Partial<ReportRequest> = {}, key?: SigningKey): Bytes =>
  utf8(reportText(signedReport(change, key)));

/** Everything in order: judged unchanged, the report is affirming. */
export const goodQuestion: ReportQuestion = {
  bytes: reportBytes(),
  owners: [reportOwner],
  authorities: reportRoots,
  at: madeAtMs + 60_000,
  nowMs: madeAtMs + 86_400_000,
};
