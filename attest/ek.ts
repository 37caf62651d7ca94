// Endorsement certificates: the raw DER, the digest that identifies the TPM, and whether the chain ends
// at a root that the owners trust. What the EK can do is for credential activation to show.
import type { X509Certificate } from 'node:crypto';
import { hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { Cursor, malformed } from './cursor.ts';
import { derElement, subjectPublicKeyInfo } from './der.ts';
import { EK_PURPOSE } from './ekClaims.ts';
import { certificateKey, parseCertificate, pemBlocks } from '#attest/x509/certificate.ts';
import { chainTo, oneLine } from '#attest/x509/chain.ts';

/** No EK certificate is near this; NV could not hold it. */
export const MAX_CERTIFICATE_BYTES = 8192;
/** A PEM file may carry the certificate in words before it. */
const MAX_PEM_BYTES = 64 << 10;

export interface EkCertificate {
  /** The certificate alone, as its maker encoded it. */
  readonly der: Buffer;
  /** Hex of SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly digest: string;
  readonly x509: X509Certificate;
  /** What stood after the certificate: padding of the NV index, as a rule. */
  readonly trailing: Buffer;
}

/** Reads an EK certificate out of what an NV index or a file held. Errors: EVIDENCE_MALFORMED. */
export function parseEkCertificate(bytes: Bytes): EkCertificate {
  const what = 'EK certificate';
  const stored = unwrapped(fromPem(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  if (stored.length > MAX_CERTIFICATE_BYTES) throw malformed(what, `${stored.length} bytes`);
  const element = derElement(stored, what);
  const der = element.raw;
  const digest = hex(sha256(subjectPublicKeyInfo(element)));
  return { der, digest, x509: readable(der, what), trailing: stored.subarray(der.length) };
}

/** A certificate whose key can be read as well, which OpenSSL does only when it is asked for. */
function readable(der: Buffer, what: string): X509Certificate {
  const x509 = parseCertificate(der, what);
  if (!certificateKey(x509)) throw malformed(what, 'OpenSSL cannot read its key');
  return x509;
}

/** The bytes of the first certificate in PEM; other bytes as they are. */
function fromPem(bytes: Buffer): Buffer {
  if (bytes[0] === SEQUENCE || bytes[0] === STORED[0]) return bytes;
  const [block] = pemBlocks(bytes.subarray(0, MAX_PEM_BYTES).toString('latin1'));
  return block === undefined
    ? bytes
    : Buffer.from(block.replaceAll(/-----[^-]*-----/g, ''), 'base64');
}

const SEQUENCE = 0x30;
/** TCG_PCCLIENT_STORED_CERT (TCG PC Client Specific Implementation 1.21, 7.3.2): tag, type, length. */
const STORED = Uint8Array.of(0x10, 0x01, 0x00);
/** TCG_PCCLIENT_STORED_FULL_CERT inside of it. */
const FULL_CERTIFICATE = Uint8Array.of(0x10, 0x02);

/** The certificate out of the structure in which makers of TPM 1.2, and some of 2.0, store it. */
function unwrapped(bytes: Buffer): Buffer {
  if (!STORED.every((byte, i) => bytes[i] === byte)) return bytes;
  const cursor = new Cursor(bytes, 'stored EK certificate');
  cursor.take(STORED.length);
  const stored = cursor.sized();
  const isFull = FULL_CERTIFICATE.every((byte, i) => stored[i] === byte);
  return isFull ? stored.subarray(FULL_CERTIFICATE.length) : stored;
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
