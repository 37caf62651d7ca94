// Endorsement certificates: the raw DER, the digest that identifies the TPM, and whether the chain ends
// at a root that the owners trust. What the EK can do is for credential activation to show.
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { malformed } from './cursor.ts';
import { derElement, subjectPublicKeyInfo } from './der.ts';
import { chainTo, oneLine } from '#attest/x509/chain.ts';

/** No EK certificate is near this; NV could not hold it. */
export const MAX_CERTIFICATE_BYTES = 8192;
const MAX_ROOT_FILE_BYTES = 4 << 20;
/** tcg-kp-EKCertificate (TCG EK Credential Profile 2.5, 3.5.16). */
const EK_PURPOSE = '2.23.133.8.1';

export interface EkCertificate {
  /** The certificate alone, as its maker encoded it. */
  readonly der: Buffer;
  /** Hex of SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly digest: string;
  readonly x509: X509Certificate;
  /** Bytes that stood after the certificate: padding of the NV index. */
  readonly trailingBytes: number;
}

/** Reads an EK certificate out of what an NV index held. Errors: EVIDENCE_MALFORMED. */
export function parseEkCertificate(bytes: Bytes): EkCertificate {
  const what = 'EK certificate';
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw malformed(what, `${bytes.length} bytes`);
  const element = derElement(bytes, what);
  const der = element.raw;
  const digest = hex(sha256(subjectPublicKeyInfo(element)));
  try {
    const x509 = new X509Certificate(der);
    return { der, digest, x509, trailingBytes: bytes.length - der.length };
  } catch (cause) {
    throw malformed(what, 'OpenSSL cannot read it', cause);
  }
}

export type EkTrust =
  /** Subjects from the certificate's issuer to the root. */
  | { readonly trusted: true; readonly chain: readonly string[] }
  | { readonly trusted: false; readonly why: string };

/** Whether `certificate` chains to a self-signed certificate among `authorities` at `nowMs`. */
export function trustEk(
  { x509 }: EkCertificate,
  authorities: readonly X509Certificate[],
  nowMs: number,
): EkTrust {
  const purposes = x509.keyUsage as readonly string[] | undefined; // absent where the maker set none
  if (purposes !== undefined && !purposes.includes(EK_PURPOSE)) {
    return { trusted: false, why: `the certificate is for ${purposes.join(', ')}, not for an EK` };
  }
  const chain = chainTo(x509, authorities, nowMs);
  return chain.trusted
    ? { trusted: true, chain: chain.issuers.map(({ subject }) => oneLine(subject)) }
    : chain;
}

export interface EkAuthorities {
  readonly certificates: readonly X509Certificate[];
  /** Files that hold no certificate, each with the reason. */
  readonly skipped: readonly string[];
}

const PEM =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]{1,20000}?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * Every root and intermediate in a directory and below, PEM (several a file) or DER.
 * Errors: those of reading the directory (ENOENT, EACCES).
 */
export async function readEkAuthorities(directory: string): Promise<EkAuthorities> {
  const certificates: X509Certificate[] = [];
  const skipped: string[] = [];
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    try {
      certificates.push(...certificatesOf(await readFile(path)));
    } catch (error) {
      skipped.push(`${path}: ${messageOf(error)}`);
    }
  }
  return { certificates, skipped };
}

/** The certificates in PEM (several in a row) or DER. Errors: those of OpenSSL, EVIDENCE_MALFORMED. */
export function certificatesOf(contents: Buffer): X509Certificate[] {
  if (contents.length > MAX_ROOT_FILE_BYTES) throw malformed('EK authority', 'a file over 4 MiB');
  const blocks = contents.toString('latin1').match(PEM);
  return (blocks ?? [contents]).map((block) => new X509Certificate(block));
}
