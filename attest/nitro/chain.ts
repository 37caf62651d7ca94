// Whether the key that signed a Nitro document is certified by the root that AWS publishes: order,
// signatures, path lengths and the root's fingerprint. It does not look at the document.
import type { KeyObject, X509Certificate } from 'node:crypto';
import { certificateSignedBy } from '#agent/base/asymmetric.ts';
import { equal, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { about, fail, pass, type Check } from '#attest/check.ts';
import { malformed } from '#attest/cursor.ts';
import { certificateKey, parseCertificate } from '#attest/x509/certificate.ts';
import { oneLine } from '#attest/x509/chain.ts';
import { pathLength } from '#attest/x509/extension.ts';

/** SHA-256 of AWS_NitroEnclaves_Root-G1, as AWS publishes it; valid until 2049-10-28. */
export const AWS_NITRO_ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b';

/** The certificate of a document and its issuers, the root first as in `cabundle`. */
export interface NitroCertificates {
  readonly leaf: X509Certificate;
  /** The key of `leaf`. */
  readonly key: KeyObject;
  readonly bundle: readonly X509Certificate[];
}

/** Errors: EVIDENCE_MALFORMED. */
export function readCertificates(from: {
  readonly certificate: Bytes;
  readonly cabundle: readonly Bytes[];
}): NitroCertificates {
  const leaf = x509('certificate', from.certificate);
  const key = certificateKey(leaf);
  if (key === undefined)
    throw malformed('Nitro attestation document', 'its certificate has no key');
  return {
    leaf,
    key,
    bundle: from.cabundle.map((der, i) => x509(`cabundle ${i}`, der)),
  };
}

const SEQUENCE = 0x30;

function x509(field: string, der: Bytes): X509Certificate {
  const what = `${field} of the Nitro attestation document`;
  if (der[0] !== SEQUENCE) throw malformed(what, 'it is no DER');
  return parseCertificate(der, what);
}

/** Each certificate by the one before it, up to a root that signed itself; one pass, no search. */
export function chainCheck({ leaf, bundle }: NitroCertificates): Check {
  const name = 'certificate chain';
  const path = [...bundle, leaf];
  const broken = path.map((certificate, i) => linkProblem(certificate, i, path)).find(Boolean);
  if (broken !== undefined) {
    const text = `${broken}. The document was altered, or no Nitro hypervisor made it.`;
    return about('hardware', fail(name, text));
  }
  const text = `${bundle.length} issuers from "${oneLine(bundle[0]?.subject)}" to "${oneLine(leaf.subject)}", each signed by the one before.`;
  return about('hardware', pass(name, text));
}

/** Why certificate `i` of `path`, the root being 0, may not stand where it does. */
function linkProblem(
  certificate: X509Certificate,
  i: number,
  path: readonly X509Certificate[],
): string | undefined {
  const name = `"${oneLine(certificate.subject)}"`;
  const issuer = path[Math.max(0, i - 1)] ?? certificate;
  const casBelow = path.length - 2 - i;
  if (casBelow >= 0 && !certificate.ca) return `${name} is no CA and issues certificates`;
  if (casBelow > pathLength(certificate.raw))
    return `${name} may not have ${casBelow} CAs below it`;
  if (!certificate.checkIssued(issuer)) {
    return `${name} is not issued by "${oneLine(issuer.subject)}", which stands before it`;
  }
  return certificateSignedBy(certificate, issuer)
    ? undefined
    : `The signature of "${oneLine(issuer.subject)}" on ${name} does not verify`;
}

/** `pinned` is SHA-256 of the root's DER. */
export function rootCheck({ bundle }: NitroCertificates, pinned: Bytes): Check {
  const name = 'certificate root';
  const digest = sha256(bundle[0]?.raw ?? Buffer.alloc(0));
  const whose = hex(pinned) === AWS_NITRO_ROOT ? 'AWS publishes' : 'was given (--root-digest)';
  return about(
    'hardware',
    equal(digest, pinned)
      ? pass(name, `SHA-256 ${hex(digest)}, the root that ${whose}.`)
      : fail(
          name,
          `The root has SHA-256 ${hex(digest)}; the one that ${whose} has ${hex(pinned)}. Anybody can make such a chain: do not rely on the document.`,
        ),
  );
}

/** Unix milliseconds, both inclusive. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When all certificates are valid at once; the leaf of an enclave lives for three hours. */
export function validityOf({ leaf, bundle }: NitroCertificates): Validity {
  const all = [...bundle, leaf];
  return {
    fromMs: Math.max(...all.map(({ validFromDate }) => validFromDate.getTime())),
    toMs: Math.min(...all.map(({ validToDate }) => validToDate.getTime())),
  };
}
