// Certificates out of files and evidence, each read once and bounded in number. Whether one is to be
// trusted is for chain.ts; what it says of a machine is for extension.ts.
import { X509Certificate, type KeyObject } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';

/** Base64 alone, so that a search from one beginning stops at the next (RFC 7468 3; OpenSSL's TRUSTED). */
const PEM =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\sA-Za-z0-9+/=]{1,20000}-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** The certificates of PEM text as they stand there; none where it holds none. */
export const pemBlocks = (text: string): readonly string[] => text.match(PEM) ?? [];

/** How OpenSSL prints what is no date. The Date that Node gives of it is NaN, or any other. */
const NO_DATE = 'Bad time value';

/** One certificate, DER or PEM. Errors: EVIDENCE_MALFORMED, naming `what`. */
export function parseCertificate(bytes: Bytes | string, what: string): X509Certificate {
  const certificate = readByOpenSsl(bytes, what);
  const { validFrom, validTo } = certificate;
  if (validFrom === NO_DATE || validTo === NO_DATE) {
    throw malformed(what, 'its dates are none, so that it might never expire');
  }
  return certificate;
}

function readByOpenSsl(bytes: Bytes | string, what: string): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw malformed(what, 'OpenSSL cannot read it as a certificate', cause);
  }
}

/**
 * The distinct certificates of PEM text in their order, at most `most`: a search for a path among them
 * tries every combination. Errors: EVIDENCE_MALFORMED, naming `what`.
 */
export function pemCertificates(text: string, what: string, most: number): X509Certificate[] {
  const blocks = new Set(pemBlocks(text));
  if (blocks.size === 0) throw malformed(what, 'it holds no certificate in PEM');
  if (blocks.size > most) throw malformed(what, `${blocks.size} certificates, at most ${most}`);
  return Array.from(blocks, (block) => parseCertificate(block, what));
}

/** The public key of a certificate; undefined where it is of a kind or in a form that OpenSSL cannot read. */
export function certificateKey(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined; // it was parsed, but nothing can verify under it
  }
}
