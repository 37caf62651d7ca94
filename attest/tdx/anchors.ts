// Whom a verifier of TDX quotes trusts: the root of Intel's SGX and TDX certificates, and the key of those
// that sign TCB info, each by its public key. Certificates around a key are renewed; the keys are not.
import type { KeyObject, X509Certificate } from 'node:crypto';
import { publicKeyFromJwk, verifyJwa } from '#agent/base/asymmetric.ts';
import { hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { certificateKey } from '#attest/x509/certificate.ts';

export interface TdxAnchors {
  /** Hex of SHA-256 of the root's SubjectPublicKeyInfo. */
  readonly rootKey: string;
  /** Signs TCB info and QE identities; used where collateral has no issuer chain. */
  readonly tcbSigner: KeyObject;
  /** Hex of MRSIGNER of the quoting enclave. */
  readonly enclaveSigner: string;
}

/**
 * "Intel SGX Root CA", serial 22650CD65A9D3489F383B49552BF501B392706AC, valid from 2018 to 2049, as
 * published at certificates.trustedservices.intel.com; and "Intel SGX TCB Signing", whose certificates of
 * 2018 and of 2025 (serial 7E3882D5FB55294A40498E458403E91491BDF455) have the same key.
 * The signer of the quoting enclaves is the `mrsigner` of every QE identity that Intel publishes.
 */
export const INTEL: TdxAnchors = {
  rootKey: 'a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e',
  tcbSigner: publicKeyFromJwk({
    kty: 'EC',
    crv: 'P-256',
    x: 'Q0UbzHPJ1ZF8r3ZuYa8_6YCH3U8TJXsmHoUYl3md0T0',
    y: 'aBH7R3E4A7ubrlh_zN3C4xvpoouGlirMba-W2ljuypY',
  }),
  enclaveSigner: 'dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5',
};

/** Hex of SHA-256 of the SubjectPublicKeyInfo of a certificate; undefined for a key that is none. */
export function keyDigest(certificate: X509Certificate): string | undefined {
  const key = certificateKey(certificate);
  return key && hex(sha256(key.export({ type: 'spki', format: 'der' })));
}

/** Whether an ECDSA P-256 signature, raw r || s, verifies under the key of a certificate. */
export function signedUnder(
  certificate: X509Certificate,
  message: Bytes,
  signature: Bytes,
): boolean {
  const key = certificateKey(certificate);
  return key !== undefined && verifyJwa(key, 'ES256', message, signature);
}

/** The P-256 key of a raw point x || y; undefined for a point off the curve. */
export function pointKey(point: Bytes): KeyObject | undefined {
  const coordinate = (from: number): string =>
    Buffer.from(point.subarray(from, from + 32)).toString('base64url');
  try {
    return publicKeyFromJwk({ kty: 'EC', crv: 'P-256', x: coordinate(0), y: coordinate(32) });
  } catch {
    return undefined; // an attestation key that is none has signed nothing
  }
}
