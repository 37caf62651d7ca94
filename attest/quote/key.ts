// The attestation key of a quote, in any form in which one is handed on. Only a TPM's own public area
// says what the key may sign and has a Name; all other forms are a bare key.
import type { JsonWebKeyInput, KeyObject } from 'node:crypto';
import { publicKeyFromJwk, publicKeyFromPem } from '#agent/base/asymmetric.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { derChildren, derElement } from '#attest/der.ts';
import { curveByOpenSslName } from '#attest/tpm/algorithms.ts';
import { parsePublic, type TpmPublic } from '#attest/tpm/public.ts';
import type { VerifyingKey } from '#attest/tpm/signature.ts';
import { parseCertificate, pemCertificates } from '#attest/x509/certificate.ts';

export interface AttestationKey {
  /** What the file was: `TPMT_PUBLIC`, `PEM public key`. */
  readonly form: string;
  readonly verifying: VerifyingKey;
  /** Present when the file was the TPM's public area, sized or not. */
  readonly area: TpmPublic | undefined;
}

const WHAT = 'attestation key';
const PEM = /-----BEGIN (CERTIFICATE|(?:RSA )?PUBLIC KEY)-----/;
const SEQUENCE = 0x30;

/**
 * TPM2B_PUBLIC, TPMT_PUBLIC, a JWK, or a public key or certificate in PEM or DER; who issued a
 * certificate is not looked at. Errors: EVIDENCE_MALFORMED.
 */
export function readAttestationKey(bytes: Bytes): AttestationKey {
  const text = Buffer.from(bytes).toString('latin1');
  const label = PEM.exec(text)?.[1];
  if (label === 'CERTIFICATE') {
    const [certificate] = pemCertificates(text, WHAT, 16);
    if (certificate) return bare('PEM certificate', () => certificate.publicKey);
  }
  if (label !== undefined) return bare('PEM public key', () => publicKeyFromPem(text));
  if (text.trimStart().startsWith('{')) return jwkKey(text);
  if (bytes[0] === SEQUENCE) return derKey(bytes);
  const area = parsePublic(bytes);
  return { form: 'TPM public area', verifying: area, area };
}

/** The key in a JSON Web Key (RFC 7517), as text. Errors: EVIDENCE_MALFORMED. */
export const jwkKey = (text: string): AttestationKey =>
  bare('JWK', () => publicKeyFromJwk(JSON.parse(text) as JsonWebKeyInput['key']));

/** A TBSCertificate comes first in a certificate, an AlgorithmIdentifier in a SubjectPublicKeyInfo. */
function derKey(bytes: Bytes): AttestationKey {
  const element = derElement(bytes, WHAT);
  const [first] = derChildren(element, WHAT);
  const isCertificate =
    first !== undefined && derChildren(first, WHAT)[0]?.tag !== OBJECT_IDENTIFIER;
  if (isCertificate) {
    const certificate = parseCertificate(element.raw, WHAT);
    return bare('DER certificate', () => certificate.publicKey);
  }
  const pem = `-----BEGIN PUBLIC KEY-----\n${element.raw.toString('base64')}\n-----END PUBLIC KEY-----\n`;
  return bare('DER public key', () => publicKeyFromPem(pem));
}

const OBJECT_IDENTIFIER = 0x06;

/** OpenSSL reads a certificate without reading the key in it. */
function bare(form: string, keyOf: () => KeyObject): AttestationKey {
  try {
    return { form, verifying: verifyingKey(keyOf()), area: undefined };
  } catch (cause) {
    throw malformed(WHAT, 'no RSA key, and none on a NIST curve', cause);
  }
}

/** Errors: RangeError for a key that no TPM quotes with, and those of OpenSSL. */
function verifyingKey(key: KeyObject): VerifyingKey {
  if (key.asymmetricKeyType === 'rsa') return { type: 'RSA', scheme: undefined, key };
  const curve = curveByOpenSslName(key.asymmetricKeyDetails?.namedCurve ?? '');
  if (key.asymmetricKeyType === 'ec' && curve)
    return { type: 'ECC', scheme: undefined, key, curve };
  throw new RangeError(`a key of type ${key.asymmetricKeyType}`);
}
