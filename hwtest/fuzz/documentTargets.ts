// Targets that are documents of our own or of other verifiers: reports, results, manifests, policies,
// and the keys that they are verified by.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { utf8 } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { judgeCorim } from '#attest/corim/judge.ts';
import { judgeEar } from '#attest/ear/judge.ts';
import { earClaims, signEar } from '#attest/ear/make.ts';
import { readEnrolment } from '#attest/enrolment.ts';
import { readPolicy } from '#attest/policy.ts';
import { readPolicyDraft } from '#attest/policy/document.ts';
import { readAttestationKey } from '#attest/quote/key.ts';
import { readPcrBanks } from '#attest/quote/pcrs.ts';
import { openReport } from '#attest/reportOpen.ts';
import { verifyReport } from '#attest/reportVerify.ts';
import { writeCbor, type Writable } from '#attest/testdata/cborWrite.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { fixture, fixtureOwners } from '#attest/testdata/fixture.ts';
import { fixtureNodeKey } from '#attest/testdata/makeReport.ts';
import { logOf, policyOf } from '#attest/testdata/referencePolicy.ts';
import { goodQuestion, reportBytes } from '#attest/testdata/reportFixture.ts';
import { keysOfSigner, parseVerificationKeys } from '#attest/verificationKey.ts';
import { pass } from '#attest/check.ts';
import { publicAreas, vectorsIn } from './samples.ts';
import { claimed, judge, parser, type Target } from './target.ts';

const AT_MS = Date.UTC(2026, 0, 1);

const reports = (): Buffer[] => [Buffer.from(reportBytes())];
const documents = (document: object) => (): Buffer[] => [
  Buffer.from(utf8(JSON.stringify(document))),
];

const keys = keysOfSigner(fixtureNodeKey.public);
const results = (): Buffer[] => {
  const subject = { name: 'node-a', checks: [pass('a', 'b')], policyId: undefined, details: {} };
  const claims = earClaims(subject, { developer: 'test', build: '1' }, AT_MS);
  return [Buffer.from(signEar(claims, fixtureNodeKey)), ...vectorsIn('rats', /token\.json$/)];
};

const publicKeys = (): Buffer[] => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { keys: [publicKey.export({ format: 'jwk' })] };
  return [pem(publicKey), Buffer.from(JSON.stringify(jwk))];
};

const pem = (key: KeyObject): Buffer => Buffer.from(key.export({ type: 'spki', format: 'pem' }));

const registers = (): Buffer[] => [
  Buffer.from(JSON.stringify({ [fixture.evidence.bank]: fixture.evidence.pcrs })),
  ...vectorsIn('tpm-quote', /keylime-files\/quotepcr\.out$/),
];
const map = (...members: readonly (readonly [number, Writable])[]): Writable => new Map(members);

/** A CoMID: its identity, and a digest that a module of some class must have. */
const environment = map([0, map([1, 'ACME'])]);
const measurement = map([1, map([2, [[1, Buffer.alloc(32, 1)]]])]);
const comid = writeCbor(
  map([1, map([0, 'module'])], [4, map([0, [[environment, [measurement]]]])]),
);
const manifests = (): Buffer[] => [
  writeCbor({ tag: 501, of: map([0, 'vendor'], [1, [{ tag: 506, of: comid }]]) }),
  ...vectorsIn('rats', /cbor$/),
];

export const DOCUMENT_TARGETS: readonly Target[] = [
  parser('report', reports, openReport, 2),
  judge('report, judged', reports, (bytes) => {
    const { told } = verifyReport({ ...goodQuestion, bytes });
    return told && JSON.stringify([told.body.node, told.pcrs, told.ekChain]);
  }),
  judge('attestation result (EAR), judged', results, (bytes) =>
    claimed(judgeEar(bytes, { keys, atMs: AT_MS }).claims),
  ),
  parser('manifest (CoRIM), judged', manifests, (bytes) => judgeCorim(bytes, []), 5),
  parser('verification keys', publicKeys, parseVerificationKeys, 2),
  parser('attestation key', () => [...publicAreas(), ...publicKeys()], readAttestationKey, 2),
  parser('PCR values', registers, readPcrBanks, 5),
  parser(
    'reference policy',
    documents(policyOf([{ log: logOf(BOOT), note: 'a' }])),
    (bytes) => readPolicyDraft(jsonOf(bytes)),
    2,
  ),
  parser(
    'owner policy',
    documents(fixture.policy),
    (bytes) => readPolicy(jsonOf(bytes), fixtureOwners),
    5,
  ),
  parser(
    'enrolment',
    documents(fixture.enrolment),
    (bytes) => readEnrolment(jsonOf(bytes), fixtureOwners),
    5,
  ),
];

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw malformed('document', 'no JSON', cause);
  }
}
