// What the bench of evidence verifies: recorded evidence where the shared vectors are there, evidence of
// our own making where not, each as a function from bytes in memory to a verdict.
import { hash } from 'node:crypto';
import { concat, fromB64url, fromHex, sha256, u16 } from '#agent/base/bytes.ts';
import { pass, verdictOf, type Check, type Verdict } from '#attest/check.ts';
import { judgeEar } from '#attest/ear/judge.ts';
import { earClaims, signEar } from '#attest/ear/make.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import { judgeEk } from '#attest/ekJudge.ts';
import { ccelDocument } from '#attest/eventlog/ccelDocument.ts';
import { logDocument, readLog } from '#attest/eventlog/document.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { RTMRS } from '#attest/eventlog/registers.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { isGood, type Finding } from '#attest/finding.ts';
import { judgeIma } from '#attest/ima/judge.ts';
import { AWS_NITRO_ROOT } from '#attest/nitro/chain.ts';
import { judgeNitro } from '#attest/nitro/judge.ts';
import { judgeQuote } from '#attest/quote/judge.ts';
import { readAttestationKey } from '#attest/quote/key.ts';
import { verifyReport } from '#attest/reportVerify.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { NO_SNP_POLICY } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import { readCollateral } from '#attest/tdx/collateral.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import {
  asciiList,
  binaryList,
  fileEntries,
  fileEntry,
  pcr10After,
} from '#attest/testdata/imaEntries.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { fixtureNodeKey } from '#attest/testdata/makeReport.ts';
import { MADE_MS as NITRO_MS, nitroDocument, nitroRootDigest } from '#attest/testdata/nitro.ts';
import { madeNonce, makeAk, makeAttest, tpmSignature } from '#attest/testdata/quote.ts';
import { goodQuestion, reportFixture, reportRoots } from '#attest/testdata/reportFixture.ts';
import { makeSnpReport } from '#attest/testdata/snp.ts';
import { anchors, MADE_MS as TDX_MS, tdxCollateral, tdxQuote } from '#attest/testdata/tdx.ts';
import { UEFI_BOOT } from '#attest/testdata/uefi.ts';
import { hasVector, vector, vectorDirectory } from '#attest/testdata/vectors.ts';
import { keysOfSigner } from '#attest/verificationKey.ts';
import { verifyEvidence } from '#attest/verify.ts';

export interface EvidenceSubject {
  readonly name: string;
  /** What is read and how much of it. */
  readonly label: string;
  /** Verifies once, from the bytes. */
  readonly verify: () => Verdict;
  /** Milliseconds that it must stay under, where something was promised. */
  readonly goalMs?: number;
}

/** Entries of the IMA list, the boot aggregate not counted. */
const IMA_FILES = 1000;
const GOAL_MS = 5;
/** While every recorded certificate is valid. */
const AT_MS = Date.UTC(2025, 0, 1);
const SHA256_ID = 0x000b;

const judged = ({ checks }: { readonly checks: readonly Check[] }): Verdict => verdictOf(checks);
const found = ({ findings }: { readonly findings: readonly Finding[] }): Verdict =>
  isGood(findings) ? 'affirming' : 'contraindicated';

/** Every subject; makes keys and logs, and reads the vectors. */
export const evidenceSubjects = async (): Promise<readonly EvidenceSubject[]> => [
  ...quoteSubjects(),
  {
    name: 'renewal',
    label: 'evidence of a node as its peers judge it: quote, log, EK, enrolment, policy',
    verify: () => judged(verifyEvidence({ ...goodRequest, evidence: fixture.evidence })),
  },
  ...logSubjects(),
  await ekSubject(),
  snpSubject(),
  tdxSubject(),
  nitroSubject(),
  { name: 'report', label: 'report of ours', verify: () => judged(verifyReport(goodQuestion)) },
  earSubject(),
];

const recordedLog = (): Buffer =>
  hasVector('eventlog/gotpm/ubuntu-2404-amd-sevsnp.bin')
    ? vector('eventlog/gotpm/ubuntu-2404-amd-sevsnp.bin')
    : writeEventLog(UEFI_BOOT, ['sha1', 'sha256', 'sha384']);

/** Quotes over what the recorded log and a list of 1,000 files lead to. */
function quoteSubjects(): EvidenceSubject[] {
  const eventLog = recordedLog();
  const values = replay(parseEventLog(eventLog), 'sha256');
  const boot = Array.from({ length: 10 }, (_, pcr) => values.get(pcr) ?? Buffer.alloc(32));
  const [, ...files] = fileEntries(IMA_FILES);
  const entries = [fileEntry('boot_aggregate', sha256(...boot)), ...files];
  values.set(10, fromHex(pcr10After(entries, 'sha256')));
  const rising = [...values].sort(([a], [b]) => a - b);
  const bitmap = rising.reduce((bits, [pcr]) => bits | (1 << pcr), 0);
  const selected = Buffer.alloc(4, 3);
  selected.writeUIntLE(bitmap, 1, 3);
  const digest = hash('sha256', concat(...rising.map(([, value]) => value)), 'buffer');
  const message = makeAttest({
    bank: u16(SHA256_ID),
    pcrSelect: selected,
    pcrDigest: concat(u16(digest.length), digest),
  });
  const question = (type: 'RSA' | 'ECC') => {
    const ak = makeAk(type);
    const signature = tpmSignature(ak, message);
    const pcrs = new Map([['sha256' as const, values]]);
    return { message, signature, ak: ak.area, nonce: madeNonce, bank: 'sha256' as const, pcrs };
  };
  const verify = (type: 'RSA' | 'ECC', more: object = {}): (() => Verdict) => {
    const { ak, ...rest } = question(type);
    return () => judged(judgeQuote({ ...rest, key: readAttestationKey(ak), ...more }));
  };
  const [ascii, binary] = [asciiList(entries), binaryList(entries)];
  const logged = `event log of ${parseEventLog(eventLog).events.length} events`;
  return [
    { name: 'quote', label: 'quote, RSA 2048', verify: verify('RSA') },
    { name: 'quote ECC', label: 'quote, ECDSA P-256', verify: verify('ECC') },
    {
      name: 'quote, log and IMA list',
      label: `quote, ${logged}, IMA list of 1,000 files, ascii`,
      verify: verify('RSA', { eventLog, imaList: ascii }),
      goalMs: GOAL_MS,
    },
    {
      name: 'quote, log and binary IMA list',
      label: `quote, ${logged}, IMA list of 1,000 files, binary`,
      verify: verify('RSA', { eventLog, imaList: binary }),
      goalMs: GOAL_MS,
    },
  ];
}

function logSubjects(): EvidenceSubject[] {
  const eventLog = recordedLog();
  const ccel = hasVector('ccel/cos-113-intel-tdx.bin')
    ? vector('ccel/cos-113-intel-tdx.bin')
    : writeEventLog(
        UEFI_BOOT.filter(({ pcr }) => pcr >= 1 && pcr <= 4), // RTMR 0 to 3
        ['sha384'],
      );
  const list = asciiList(fileEntries(IMA_FILES));
  return [
    {
      name: 'event log',
      label: `event log of ${parseEventLog(eventLog).events.length} events, 3 banks, every fact of the boot`,
      verify: () => found(logDocument(readLog(eventLog))),
    },
    {
      name: 'CCEL',
      label: `CCEL of ${ccel.length >> 10} KiB`,
      verify: () => found(ccelDocument(readLog(ccel, RTMRS), ccel.length)),
    },
    {
      name: 'IMA list',
      label: 'IMA list of 1,000 files, ascii, replayed in 4 banks',
      verify: () => found(judgeIma({ list })),
    },
  ];
}

async function ekSubject(): Promise<EvidenceSubject> {
  const isRecorded = hasVector('ek/st_ecdsa_ek.der');
  const certificate = isRecorded
    ? vector('ek/st_ecdsa_ek.der')
    : fromB64url(reportFixture.evidence.ekCertificate);
  const atMs = isRecorded ? AT_MS : reportFixture.madeAtMs;
  const authorities = isRecorded
    ? (await readEkAuthorities(vectorDirectory('ek/roots/keylime'))).certificates
    : reportRoots;
  return {
    name: 'EK',
    label: `EK certificate under ${authorities.length} roots and intermediates`,
    verify: () => judged(judgeEk(parseEkCertificate(certificate), authorities, atMs)),
  };
}

function snpSubject(): EvidenceSubject {
  const label = 'SNP report, chain of VCEK, ASK and ARK';
  if (!hasVector('snp/coco-milan.report.bin')) {
    const made = makeSnpReport();
    const policy = { ...NO_SNP_POLICY, roots: [made.root] };
    return {
      name: 'SNP',
      label,
      verify: () => judged(verifySnpReport({ ...made, policy, atMs: AT_MS })),
    };
  }
  const report = vector('snp/coco-milan.report.bin');
  const files = [vector('snp/coco-milan.vek.der'), vector('snp/ark_ask_milan_chain.pem')];
  return {
    name: 'SNP',
    label,
    verify: () => {
      const certificates = files.flatMap((file) => readCertificates(file, 'chain'));
      return judged(verifySnpReport({ report, certificates, atMs: AT_MS }));
    },
  };
}

function tdxSubject(): EvidenceSubject {
  const isRecorded = hasVector('tdx/phala_uptodate.dat');
  const quote = isRecorded ? vector('tdx/phala_uptodate.dat') : tdxQuote();
  const file = isRecorded ? vector('tdx/phala_uptodate.dat.collateral.json') : tdxCollateral();
  const terms = isRecorded ? { atMs: Date.UTC(2025, 5, 20) } : { atMs: TDX_MS, anchors };
  return {
    name: 'TDX',
    label: 'TDX quote with TCB info, QE identity and revocation lists',
    verify: () => judged(judgeTdx({ quote, collateral: readCollateral([file]), ...terms })),
  };
}

function nitroSubject(): EvidenceSubject {
  const isRecorded = hasVector('nitro/nitro_attestation.cbor');
  const document = isRecorded ? vector('nitro/nitro_attestation.cbor') : nitroDocument();
  const root = isRecorded ? fromHex(AWS_NITRO_ROOT) : nitroRootDigest;
  const atMs = isRecorded ? Date.UTC(2024, 8, 7, 14, 37, 40) : NITRO_MS;
  const terms = { root, atMs, policy: undefined, nonce: undefined };
  return {
    name: 'Nitro',
    label: 'Nitro document, chain of 5 certificates',
    verify: () => judged(judgeNitro(document, terms)),
  };
}

function earSubject(): EvidenceSubject {
  const subject = { name: 'a', checks: [pass('a', 'b')], policyId: undefined, details: {} };
  const claims = earClaims(subject, { developer: 'tidelock', build: 'bench' }, AT_MS);
  const token = Buffer.from(signEar(claims, fixtureNodeKey));
  const terms = { keys: keysOfSigner(fixtureNodeKey.public), atMs: AT_MS };
  return {
    name: 'EAR',
    label: 'attestation result, EdDSA',
    verify: () => judged(judgeEar(token, terms)),
  };
}
