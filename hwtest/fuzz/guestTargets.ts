// Targets of confidential guests: SEV-SNP reports, TDX quotes with collateral, Nitro documents and the
// CBOR below them.
import type { X509Certificate } from 'node:crypto';
import { sha256 } from '#agent/base/bytes.ts';
import { parseSign1 } from '#attest/cbor/cose.ts';
import { decodeCbor } from '#attest/cbor/decode.ts';
import { AWS_NITRO_ROOT } from '#attest/nitro/chain.ts';
import { parseNitro } from '#attest/nitro/document.ts';
import { judgeNitro } from '#attest/nitro/judge.ts';
import { parseHclReport } from '#attest/quote/hcl.ts';
import { judgeHcl } from '#attest/quote/hclCheck.ts';
import { parseSnpEvidence, readCertificates } from '#attest/snp/certificates.ts';
import { readSnpPolicy } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import { readCollateral } from '#attest/tdx/collateral.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import { readTdxPolicy } from '#attest/tdx/policy.ts';
import { parseQeIdentity } from '#attest/tdx/qeIdentity.ts';
import { parseTdxQuote } from '#attest/tdx/quote.ts';
import { parseTcbInfo } from '#attest/tdx/tcbInfo.ts';
import { makeKeys } from '#attest/testdata/certificate.ts';
import { MADE_MS, nitroDocument, nitroRootDigest } from '#attest/testdata/nitro.ts';
import { makeSnpReport } from '#attest/testdata/snp.ts';
import {
  anchors,
  MADE_MS as TDX_MS,
  qeIdentity,
  tcbInfo,
  tdxCollateral,
  tdxQuote,
} from '#attest/testdata/tdx.ts';
import { ENROLLED } from '#attest/testdata/tdxJudged.ts';
import { u32le } from '#attest/testdata/uefi.ts';
import { vectorsIn } from './samples.ts';
import { claimed, judge, parser, type Target } from './target.ts';

/** When the Nitro sample was made; those of AMD and Intel are judged as of then as well. */
const AT_MS = Date.UTC(2024, 8, 7, 14, 37, 40);

const made = makeSnpReport();
const snpReports = (): Buffer[] => [made.report, ...vectorsIn('snp', /report\.bin$/)];
const snpCertificates = (): Buffer[] => [
  made.vek.der,
  Buffer.from(made.ask.pem + made.ark.pem),
  ...vectorsIn('snp', /vek\.der$|chain\.pem$/),
];
const snpPolicy = Buffer.from(
  JSON.stringify({ v: 1, roots: [made.root], measurement: ['00'.repeat(48)] }),
);
const trusted = (): X509Certificate[] => [
  ...made.certificates,
  ...vectorsIn('snp', /vek\.der$|chain\.pem$/).flatMap((each) => readCertificates(each, 'chain')),
];

const tdxQuotes = (): Buffer[] => [tdxQuote(), ...vectorsIn('tdx', /\.dat$/)];
const collaterals = (): Buffer[] => [tdxCollateral(), ...vectorsIn('tdx', /collateral\.json$/)];
const tdxPolicy = Buffer.from(JSON.stringify({ v: 1, ...ENROLLED }));
const ownQuote = tdxQuote();
const ownCollateral = readCollateral([tdxCollateral()]);

const nitroDocuments = (): Buffer[] => [nitroDocument(), ...vectorsIn('nitro', /cbor$/)];
const nitroTerms = (root: Buffer, atMs: number) => ({
  root,
  atMs,
  policy: undefined,
  nonce: undefined,
});

export const GUEST_TARGETS: readonly Target[] = [
  parser('SNP report', snpReports, parseSnpEvidence),
  judge('SNP report, judged', snpReports, snpClaimed),
  parser('SNP certificates', snpCertificates, (bytes) => readCertificates(bytes, 'chain'), 2),
  parser('SNP policy', () => [snpPolicy], readSnpPolicy),
  parser('TDX quote', tdxQuotes, parseTdxQuote, 2),
  judge('TDX quote, judged', tdxQuotes, tdxClaimed),
  judge('TDX quote, collateral altered', collaterals, tdxClaimedBy),
  parser('TDX policy', () => [tdxPolicy], readTdxPolicy),
  parser(
    'TCB info',
    () => [Buffer.from(tcbInfo())],
    (bytes) => parseTcbInfo(bytes.toString()),
    2,
  ),
  parser(
    'QE identity',
    () => [Buffer.from(qeIdentity())],
    (bytes) => parseQeIdentity(bytes.toString()),
    5,
  ),
  parser('HCL report', hclReports, parseHclReport, 5),
  judge('HCL report, judged', hclReports, hclClaimed),
  parser('TDX collateral', collaterals, (bytes) => readCollateral([bytes]), 2),
  parser(
    'CBOR',
    () => [...nitroDocuments(), ...vectorsIn('rats', /cbor$/)],
    (bytes) => decodeCbor(bytes, 'CBOR'),
  ),
  parser('COSE_Sign1', nitroDocuments, (bytes) => parseSign1(bytes, 'COSE_Sign1')),
  parser('Nitro document', nitroDocuments, parseNitro),
  judge('Nitro document, judged', nitroDocuments, nitroClaimed),
];

/** One as Azure lays it out around an SNP report of ours (ATTESTATION_REPORT), and the real one. */
function hclReports(): Buffer[] {
  const { publicKey } = makeKeys('RSA');
  const jwk = { kid: 'HCLAkPub', key_ops: ['sign'], ...publicKey.export({ format: 'jwk' }) };
  const runtime = Buffer.from(JSON.stringify({ keys: [jwk] }));
  const reportData = Buffer.concat([sha256(runtime), Buffer.alloc(32)]);
  const { report } = makeSnpReport({ patch: (bytes) => void reportData.copy(bytes, 0x50) });
  const fields = [runtime.length + 20, 1, 2, 1, runtime.length].map(u32le);
  const header = Buffer.concat([Buffer.from('HCLA'), Buffer.alloc(28)]);
  return [
    Buffer.concat([header, report, ...fields, runtime]),
    ...vectorsIn('tpm-quote', /hcl-report\.bin$/),
  ];
}

let hclAuthorities: readonly X509Certificate[] | undefined;

function hclClaimed(bytes: Buffer): string | undefined {
  hclAuthorities ??= [
    ...made.certificates,
    ...vectorsIn('tpm-quote', /vcek\.pem$/).flatMap((each) => readCertificates(each, 'chain')),
  ];
  const report = parseHclReport(bytes);
  const policy = readSnpPolicy(Buffer.from(JSON.stringify({ v: 1, roots: [made.root] })));
  const evidence = { report, certificates: hclAuthorities, policy, atMs: AT_MS };
  return claimed(judgeHcl(evidence, report.key).claims);
}

let authorities: readonly X509Certificate[] | undefined;

function snpClaimed(report: Buffer): string | undefined {
  authorities ??= trusted();
  return claimed(
    verifySnpReport({
      report,
      certificates: authorities,
      policy: readSnpPolicy(snpPolicy),
      atMs: AT_MS,
    }).claims,
  );
}

/** Under Intel's root, and under that of the quote of our own making. */
function tdxClaimed(quote: Buffer): string | undefined {
  const own = judgeTdx({ quote, atMs: TDX_MS, anchors, collateral: ownCollateral });
  return claimed({ ...judgeTdx({ quote, atMs: AT_MS }).claims, ...own.claims });
}

/** What collateral is believed to say of the platform. */
function tdxClaimedBy(bytes: Buffer): string | undefined {
  const collateral = readCollateral([bytes]);
  const { claims } = judgeTdx({ quote: ownQuote, atMs: TDX_MS, anchors, collateral });
  return claims['tcb_status'] === null ? undefined : claimed({ status: claims['tcb_status'] });
}

function nitroClaimed(bytes: Buffer): string | undefined {
  const real = judgeNitro(bytes, nitroTerms(Buffer.from(AWS_NITRO_ROOT, 'hex'), AT_MS));
  const own = judgeNitro(bytes, nitroTerms(nitroRootDigest, MADE_MS));
  return claimed({ ...real.claims, ...own.claims });
}
