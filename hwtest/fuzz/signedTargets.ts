// Targets behind a signature: what is changed is signed anew by the key of its signer, as a signer who
// lies would, so that all that comes after the signature is reached as well. Nothing here may be believed
// or disbelieved, only never end in another error than a refusal.
import { messageOf } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { signDocument } from '#agent/base/signed.ts';
import { malformed } from '#attest/cursor.ts';
import { judgeEar } from '#attest/ear/judge.ts';
import { earClaims, signEar } from '#attest/ear/make.ts';
import { judgeNitro } from '#attest/nitro/judge.ts';
import { judgeQuote } from '#attest/quote/judge.ts';
import { readAttestationKey } from '#attest/quote/key.ts';
import { REPORT_KIND, reportText } from '#attest/report.ts';
import { verifyReport } from '#attest/reportVerify.ts';
import { SNP_REPORT_BYTES } from '#attest/snp/report.ts';
import { NO_SNP_POLICY } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import { readCollateral } from '#attest/tdx/collateral.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import { writeCbor } from '#attest/testdata/cborWrite.ts';
import { fixtureNodeKey } from '#attest/testdata/makeReport.ts';
import {
  MADE_MS as NITRO_MS,
  nitroFields,
  nitroLeaf,
  nitroRootDigest,
  signedCose,
} from '#attest/testdata/nitro.ts';
import { madeNonce, madePcrs, makeAk, makeAttest, tpmSignature } from '#attest/testdata/quote.ts';
import { goodQuestion, signedReport } from '#attest/testdata/reportFixture.ts';
import { makeSnpReport, signSnpReport } from '#attest/testdata/snp.ts';
import {
  anchors,
  MADE_MS as TDX_MS,
  qeIdentity,
  tcbInfo,
  tdxCollateral,
  tdxQuote,
} from '#attest/testdata/tdx.ts';
import { keysOfSigner } from '#attest/verificationKey.ts';
import { pass } from '#attest/check.ts';
import { quoteMessages } from './samples.ts';
import { parser, type Target } from './target.ts';

const AT_MS = Date.UTC(2026, 0, 1);

const ak = makeAk('ECC');
const akKey = readAttestationKey(ak.area);
const snp = makeSnpReport();
const snpTerms = {
  certificates: snp.certificates,
  policy: { ...NO_SNP_POLICY, roots: [snp.root] },
  atMs: AT_MS,
};
const ES384 = writeCbor(new Map([[1, -35]]));
const nitroTerms = { root: nitroRootDigest, atMs: NITRO_MS, policy: undefined, nonce: undefined };
const quote = tdxQuote();
const keys = keysOfSigner(fixtureNodeKey.public);

const texts = (value: Json | string) => (): Buffer[] => [
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
];
const claims = earClaims(
  { name: 'a', checks: [pass('a', 'b')], policyId: 'p', details: {} },
  { developer: 'test', build: '1' },
  AT_MS,
);

export const SIGNED_TARGETS: readonly Target[] = [
  parser('quote, altered and signed', () => [makeAttest(), ...quoteMessages()], quoted, 2),
  parser('SNP report, altered and signed', snpReports, snpJudged, 1),
  parser('Nitro payload, altered and signed', () => [writeCbor(nitroFields())], nitroJudged, 1),
  parser(
    'TCB info, altered and signed',
    texts(tcbInfo()),
    (bytes) => tdxJudged(tdxCollateral({ tcbInfo: bytes.toString() })),
    1,
  ),
  parser(
    'QE identity, altered and signed',
    texts(qeIdentity()),
    (bytes) => tdxJudged(tdxCollateral({ qeIdentity: bytes.toString() })),
    1,
  ),
  parser(
    'attestation result (EAR), altered and signed',
    texts(claims),
    (bytes) => {
      const token = signable(bytes, (value) => signEar(value, fixtureNodeKey));
      judgeEar(Buffer.from(token), { keys, atMs: AT_MS });
    },
    2,
  ),
  parser(
    'report, altered and signed',
    texts(signedReport().payload),
    (bytes) => {
      const report = signable(bytes, (value) => signDocument(REPORT_KIND, value, fixtureNodeKey));
      verifyReport({ ...goodQuestion, bytes: Buffer.from(reportText(report)) });
    },
    1,
  ),
];

function quoted(message: Buffer): void {
  judgeQuote({
    message,
    signature: tpmSignature(ak, message),
    key: akKey,
    nonce: madeNonce,
    bank: 'sha256',
    pcrs: new Map([['sha256', madePcrs]]),
  });
}

function snpReports(): Buffer[] {
  const specs = [{}, { version: 3 }, { version: 5, product: 'Turin' }] as const;
  return specs.map((spec) => makeSnpReport(spec).report);
}

function snpJudged(report: Buffer): void {
  if (report.length >= SNP_REPORT_BYTES) signSnpReport(report.subarray(0, SNP_REPORT_BYTES));
  verifySnpReport({ report, ...snpTerms });
}

function nitroJudged(payload: Buffer): void {
  judgeNitro(signedCose(payload, nitroLeaf, ES384), nitroTerms);
}

function tdxJudged(collateral: Buffer): void {
  judgeTdx({ quote, atMs: TDX_MS, anchors, collateral: readCollateral([collateral]) });
}

/** What `sign` makes of the JSON in `bytes`. Errors: EVIDENCE_MALFORMED for what cannot be signed. */
function signable<T>(bytes: Buffer, sign: (value: Json) => T): T {
  try {
    return sign(JSON.parse(bytes.toString()) as Json);
  } catch (cause) {
    throw malformed('document', messageOf(cause), cause);
  }
}
