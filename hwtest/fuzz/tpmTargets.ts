// Targets that a TPM, its maker or a kubelet writes: quotes, keys, certificates, pods.
import { X509Certificate } from 'node:crypto';
import { fromB64url, hex } from '#agent/base/bytes.ts';
import { derChildren, derElement } from '#attest/der.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import { judgeEk } from '#attest/ekJudge.ts';
import { readBundle, makeBundle } from '#attest/roots/bundle.ts';
import { verifyQuote, type QuoteQuestion } from '#attest/quote.ts';
import { makeCertificate, makeKeys, makeRevocationList } from '#attest/testdata/certificate.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { goodQuestion, reportRoots } from '#attest/testdata/reportFixture.ts';
import { parseAttest } from '#attest/tpm/attest.ts';
import { parsePublic } from '#attest/tpm/public.ts';
import { parseSignature } from '#attest/tpm/signature.ts';
import { qualifyingData } from '#attest/binding.ts';
import { verifyEvidence } from '#attest/verify.ts';
import { workloadOf } from '#attest/workload/cgroup.ts';
import { parsePodList } from '#attest/workload/podList.ts';
import { parseCrl } from '#attest/x509/crl.ts';
import { extensionsOf } from '#attest/x509/extension.ts';
import {
  ekCertificates,
  eventLogs,
  publicAreas,
  quoteMessages,
  quoteSignatures,
  vectorsIn,
} from './samples.ts';
import { claimed, judge, parser, type Target } from './target.ts';

const { evidence } = fixture;

const question: QuoteQuestion = {
  message: fromB64url(evidence.quote.message),
  signature: fromB64url(evidence.quote.signature),
  key: parsePublic(fromB64url(evidence.akPublic)),
  qualifyingData: qualifyingData(
    { basis: evidence.challenge.basis, random: fromB64url(evidence.challenge.random) },
    goodRequest.expected.statementHash,
  ),
  bank: evidence.bank,
  pcrs: new Map(
    Object.entries(evidence.pcrs).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')]),
  ),
};

/** What a quote that holds makes believe. */
function quoted(change: Partial<QuoteQuestion>): string | undefined {
  const { holds, attest } = verifyQuote({ ...question, ...change });
  return holds ? hex(attest?.quote?.pcrDigest ?? Buffer.alloc(0)) : undefined;
}

/** What evidence makes believe of registers with one field of it replaced. */
function appraised(change: object): string | undefined {
  const { pcrs, clock } = verifyEvidence({ ...goodRequest, evidence: { ...evidence, ...change } });
  return clock === undefined ? undefined : JSON.stringify([pcrs, clock]);
}

const descend = (bytes: Buffer, depth: number): void => {
  const element = derElement(bytes, 'DER');
  if (depth === 0 || (element.tag & 0x20) === 0) return;
  for (const child of derChildren(element, 'DER')) descend(child.raw, depth - 1);
};

const AT_MS = Date.UTC(2026, 0, 1);
const authorities = [
  ...reportRoots,
  ...vectorsIn('ek', /STM_ECC[^/]*\.pem$|GS_TPM_RT/).map(certificate),
];

function certificate(pem: Buffer): X509Certificate {
  return new X509Certificate(pem);
}

const revocationLists = (): Buffer[] => {
  const issuer = makeCertificate({ subject: { CN: 'root' }, keys: makeKeys('P-256'), ca: true });
  const dates = { thisUpdateMs: AT_MS, nextUpdateMs: AT_MS + 1000 };
  return [
    makeRevocationList({ issuer, ...dates, revoked: [7, 8, 9] }),
    ...vectorsIn('tdx', /rootcrl\.der$/),
  ];
};

const rootsBundles = (): Buffer[] => [
  Buffer.from(
    JSON.stringify(
      makeBundle(
        reportRoots.map((each) => ({ certificate: each, source: 'test', addedAtMs: AT_MS })),
        AT_MS,
      ),
    ),
  ),
];

const CONTAINER = '9bca8d63'.repeat(8);
const cgroups = (): Buffer[] => [
  Buffer.from(`0::/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/${CONTAINER}\n`),
  Buffer.from(
    `0::/kubepods.slice/kubepods-pod2c48913c_b29f_11e7_9350_020968147796.slice/crio-${CONTAINER}.scope\n`,
  ),
  ...vectorsIn('k8s', /cgroup[^/]*$/),
];
const podLists = (): Buffer[] => [
  Buffer.from(
    '{"kind":"PodList","items":[{"metadata":{"name":"a","namespace":"b","uid":"c"},"spec":{},"status":{"containerStatuses":[{"name":"d","containerID":"e://f"}]}}]}',
  ),
  ...vectorsIn('k8s', /kind_pod_list\.json$/),
];

export const TPM_TARGETS: readonly Target[] = [
  parser('TPMS_ATTEST', quoteMessages, parseAttest),
  parser('TPMT_PUBLIC', publicAreas, parsePublic, 5),
  parser('TPMT_SIGNATURE', quoteSignatures, parseSignature),
  judge('quote, message altered', quoteMessages, (message) => quoted({ message }), 3),
  judge('quote, signature altered', quoteSignatures, (signature) => quoted({ signature }), 3),
  parser('DER', ekCertificates, (bytes) => descend(bytes, 12)),
  parser('certificate extensions', ekCertificates, extensionsOf),
  parser('EK certificate', ekCertificates, parseEkCertificate, 5),
  judge('EK certificate, judged', ekCertificates, (bytes) =>
    claimed(judgeEk(parseEkCertificate(bytes), authorities, goodQuestion.nowMs).claims),
  ),
  parser('revocation list', revocationLists, parseCrl),
  parser('roots bundle', rootsBundles, readBundle, 2),
  judge('evidence, event log altered', eventLogs, (log) =>
    appraised({ eventLog: log.toString('base64url') }),
  ),
  judge('evidence, EK certificate altered', ekCertificates, (certificate) =>
    appraised({ ekCertificate: certificate.toString('base64url') }),
  ),
  parser('/proc/PID/cgroup', cgroups, (bytes) => workloadOf(bytes.toString())),
  parser('kubelet pod list', podLists, parsePodList, 2),
];
