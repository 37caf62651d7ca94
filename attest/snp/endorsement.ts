// Whose word a report is: which certificate speaks for the key that signed it, whether that key did, and
// whether AMD's chain stands behind it. It judges the key; what the report says is for verify.ts.
import type { X509Certificate } from 'node:crypto';
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { judgeChain, type ChainTerms } from './chain.ts';
import { whereToGetVek } from './kds.ts';
import type { SnpReport } from './report.ts';
import { commonName, readVek, vekKindOf, type Vek } from './vek.ts';

export interface Endorsement {
  readonly checks: readonly Check[];
  /** What the certificate of the signing key says; undefined when there is none to speak of. */
  readonly vek: Vek | undefined;
  /** True when the chain holds up to a trusted root and the key under it signed the report. */
  readonly authentic: boolean;
}

const KEY = 'endorsement key';

/** Judges the key that signed `report` by the certificates given. Never throws. */
export function judgeEndorsement(report: SnpReport, terms: ChainTerms): Endorsement {
  const found = signerOf(report, terms.certificates);
  if ('check' in found) {
    return { checks: [about('hardware', found.check)], vek: undefined, authentic: false };
  }
  const { certificate, vek, signed } = found;
  const chain = judgeChain(certificate, vek, terms);
  const checks = [keyCheck(vek), ...chain.checks, signatureCheck(signed, vek)];
  return {
    checks: checks.map((check) => about('hardware', check)),
    vek,
    authentic: chain.holds && signed,
  };
}

type Signer =
  | { readonly certificate: X509Certificate; readonly vek: Vek; readonly signed: boolean }
  | { readonly check: Check };

/** The certificate whose key signed the report; else the first of the right kind. */
function signerOf(report: SnpReport, certificates: readonly X509Certificate[]): Signer {
  const { signingKey } = report;
  if (signingKey === 'none' || signingKey === 'reserved') {
    const text =
      'No VCEK and no VLEK signed the report, as it says: anybody could have written it.';
    return { check: fail(KEY, text) };
  }
  const leaves = certificates.filter(({ ca }) => !ca);
  if (leaves.length === 0) {
    const text = `No certificate of the ${signingKey} that signed the report is given (--vek). ${whereToGetVek(report)}`;
    return { check: notChecked(KEY, text, 'none') };
  }
  const fitting = leaves.filter((leaf) => vekKindOf(leaf) === signingKey);
  const signer = fitting.find((leaf) => isSignedBy(report, leaf));
  const certificate = signer ?? fitting[0];
  if (certificate === undefined) {
    const names = leaves.map(commonName).join(', ');
    return {
      check: fail(KEY, `A ${signingKey} signed the report; the certificate is of ${names}.`),
    };
  }
  const vek = readVek(certificate, signingKey);
  if ('why' in vek) return { check: fail(KEY, `${vek.why}.`) };
  return { certificate, vek, signed: signer !== undefined };
}

function isSignedBy({ signed, signature }: SnpReport, certificate: X509Certificate): boolean {
  try {
    return signature !== undefined && verifyJwa(certificate.publicKey, 'ES384', signed, signature);
  } catch {
    return false; // a key that OpenSSL cannot read signs nothing
  }
}

function keyCheck({ kind, productName, cspId }: Vek): Check {
  const holder = cspId === undefined ? '' : `, given to ${cspId}`;
  return pass(KEY, `The ${kind} of a ${productName} processor${holder}.`);
}

function signatureCheck(signed: boolean, { kind }: Vek): Check {
  const name = 'signature';
  return signed
    ? pass(name, `The ${kind} signed the report (ECDSA P-384 with SHA-384).`)
    : fail(
        name,
        `The signature does not verify under the ${kind}: the report was altered, or the certificate is of another chip or TCB.`,
      );
}
