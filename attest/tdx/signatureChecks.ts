// Whether a quote was signed by an Intel processor: attestation key over the quote, quoting enclave over
// the key, PCK over the enclave, Intel over the PCK. Every link is a check of its own, so that a broken
// one is named. Dates of revocation and TCB levels are judged elsewhere.
import type { X509Certificate } from 'node:crypto';
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { equal, hex, sha256 } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { pemCertificates } from '#attest/x509/certificate.ts';
import { chainTo, oneLine } from '#attest/x509/chain.ts';
import { keyDigest, pointKey, signedUnder, type TdxAnchors } from './anchors.ts';
import { pckPlatform, type PckPlatform } from './pck.ts';
import type { TdxQuote } from './quote.ts';
import { shortValue } from './registers.ts';

/** Intel's chains have three; a search among more could be made long. */
const MAX_CHAIN = 4;

export interface PckChain {
  readonly leaf: X509Certificate;
  /** From the PCK's issuer to the root. */
  readonly issuers: readonly X509Certificate[];
  readonly platform: PckPlatform;
}

export interface SignatureAnswer {
  readonly checks: readonly Check[];
  /** Present when every link held, so that the quote is an Intel processor's word. */
  readonly chain: PckChain | undefined;
}

export interface SignatureQuestion {
  readonly quote: TdxQuote;
  readonly anchors: TdxAnchors;
  /** Certificates of collateral, for a chain that leaves out its root. */
  readonly certificates: readonly X509Certificate[];
  readonly atMs: number;
}

/** Judges the signatures of a quote and the chain of the PCK (Intel TDX DCAP Quoting Library API A.3). */
export function signatureChecks(question: SignatureQuestion): SignatureAnswer {
  const { quote } = question;
  const pck = pckChecks(question);
  const checks = [
    quoteSignature(quote),
    keyBinding(quote),
    enclaveOrigin(quote, question.anchors),
    enclaveSignature(quote, pck.leaf),
  ];
  const all = [...checks, ...pck.checks];
  const holds = all.every(({ result }) => result === 'pass');
  return { checks: all, chain: holds ? pck.chain : undefined };
}

function quoteSignature({ attestationKey, signed, signature }: TdxQuote): Check {
  const name = 'quote signature';
  const key = pointKey(attestationKey);
  const verifies = key !== undefined && verifyJwa(key, 'ES256', signed, signature);
  return about(
    'instance-identity',
    verifies
      ? pass(name, 'ECDSA P-256 over header and body verifies under the attestation key.')
      : fail(
          name,
          'The signature over header and body does not verify under the attestation key: a byte of the quote changed. Collect it again.',
        ),
  );
}

function keyBinding({ attestationKey, certification }: TdxQuote): Check {
  const name = 'attestation key';
  const { authData, report } = certification;
  const bound = Buffer.concat([sha256(attestationKey, authData), Buffer.alloc(32)]);
  return about(
    'instance-identity',
    equal(report.reportData, bound)
      ? pass(name, 'The report of the quoting enclave names this attestation key.')
      : fail(
          name,
          'The report of the quoting enclave names another attestation key: the key is not one that Intel’s enclave made.',
        ),
  );
}

const PCK = 'Intel SGX PCK Certificate';
const TD_QE_PRODUCT = 2;
const ENCLAVE_DEBUG = 0x02;

/**
 * A PCK vouches for any enclave that its host lets provision: only Intel's own makes attestation keys for
 * nothing but quotes. The QE identity says the same and more, where there is one.
 */
function enclaveOrigin({ certification: { report } }: TdxQuote, anchors: TdxAnchors): Check {
  const name = 'QE signer';
  const { mrSigner, isvProdId, attributes } = report;
  const debug = ((attributes[0] ?? 0) & ENCLAVE_DEBUG) !== 0;
  const isIntels = hex(mrSigner) === anchors.enclaveSigner && isvProdId === TD_QE_PRODUCT && !debug;
  const which = `MRSIGNER ${shortValue(mrSigner)}, product ${isvProdId}${debug ? ', under debug' : ''}`;
  return about(
    'hardware',
    isIntels
      ? pass(name, 'The quoting enclave is Intel’s for trust domains.')
      : fail(
          name,
          `${which}: not Intel’s quoting enclave for trust domains, so that its keys may sign anything.`,
        ),
  );
}

function enclaveSignature({ certification }: TdxQuote, leaf: X509Certificate | undefined): Check {
  const name = 'QE report signature';
  const { signed, signature } = certification;
  if (leaf === undefined) {
    return about(
      'hardware',
      notChecked(name, 'There is no PCK certificate to check it with.', 'none'),
    );
  }
  return about(
    'hardware',
    signedUnder(leaf, signed, signature)
      ? pass(name, 'The PCK signed the report of the quoting enclave.')
      : fail(
          name,
          'The signature over the report of the quoting enclave does not verify under the PCK: a byte changed, or another processor’s certificate is in the quote.',
        ),
  );
}

interface PckAnswer {
  readonly checks: readonly Check[];
  readonly leaf?: X509Certificate;
  readonly chain?: PckChain;
}

function pckChecks({ quote, anchors, certificates, atMs }: SignatureQuestion): PckAnswer {
  const name = 'PCK chain';
  const { pckChain, kind } = quote.certification;
  let certified: readonly X509Certificate[];
  let platform: PckPlatform | undefined;
  try {
    certified =
      pckChain === undefined
        ? givenChain(certificates)
        : pemCertificates(pckChain, 'PCK chain', MAX_CHAIN);
    platform = certified[0] && pckPlatform(certified[0].raw);
  } catch (error) {
    return refused(fail(name, `${messageOf(error)}.`));
  }
  const [leaf, ...others] = certified;
  if (leaf === undefined || platform === undefined) {
    const text = `The quote names its PCK by certification data of type ${kind} instead of carrying the chain (type 5): which processor signed is not known. Give the chain with --collateral (pck_certificate_chain).`;
    return refused(notChecked(name, text, 'none'));
  }
  const known = certificates.filter((each) => keyDigest(each) === anchors.rootKey);
  const found = chainTo(leaf, [...others, ...known], atMs);
  if (!found.trusted) {
    const text = `The chain of the PCK does not hold: ${found.why}.`;
    return { leaf, checks: [about('hardware', fail(name, text))] };
  }
  const { issuers } = found;
  const names = [leaf, ...issuers].map(({ subject }) => commonName(subject)).join(' < ');
  const checks = [pass(name, `${names}.`), rootCheck(issuers.at(-1), anchors)];
  return {
    leaf,
    checks: checks.map((check) => about('hardware', check)),
    chain: { leaf, issuers, platform },
  };
}

/** The certificates of collateral, a PCK first; none where there is no PCK among them. */
function givenChain(certificates: readonly X509Certificate[]): X509Certificate[] {
  const leaf = certificates.find(({ subject }) => commonName(subject) === PCK);
  return leaf === undefined ? [] : [leaf, ...certificates.filter((each) => each !== leaf)];
}

const refused = (check: Check): PckAnswer => ({ checks: [about('hardware', check)] });

function rootCheck(root: X509Certificate | undefined, { rootKey }: TdxAnchors): Check {
  const name = 'Intel root';
  const digest = (root && keyDigest(root)) ?? 'none';
  return digest === rootKey
    ? pass(name, `The root has the public key of the Intel SGX Root CA, ${rootKey.slice(0, 16)}...`)
    : fail(
        name,
        `The chain ends at a root of key ${digest.slice(0, 16)}.., not at the Intel SGX Root CA, ${rootKey.slice(0, 16)}..: this is no production processor of Intel’s, or a forgery.`,
      );
}

/** The CN of a distinguished name, or all of it. */
export const commonName = (subject: string): string =>
  /^CN=(.+)$/m.exec(subject)?.[1] ?? oneLine(subject);
