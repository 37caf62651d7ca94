// TPMT_SIGNATURE: own parser, and verification under a TPM key. The key's own scheme decides which
// signature is acceptable, never the signature alone.
import { verifyTpmSignature } from '#agent/base/asymmetric.ts';
import { concat, type Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { ALG, algText, hashById, type HashAlgorithm } from './algorithms.ts';
import type { EccPublic, RsaPublic } from './public.ts';

export type TpmSignature =
  | { readonly scheme: 'RSASSA' | 'RSAPSS'; readonly hash: HashAlgorithm; readonly value: Buffer }
  | {
      readonly scheme: 'ECDSA';
      readonly hash: HashAlgorithm;
      readonly r: Buffer;
      readonly s: Buffer;
    };

/** What is needed of a key to verify: a TpmPublic has it, and so has a bare key, bound to no scheme. */
export type VerifyingKey =
  | Pick<RsaPublic, 'type' | 'scheme' | 'key'>
  | Pick<EccPublic, 'type' | 'scheme' | 'key' | 'curve'>;

/**
 * Reads a TPMT_SIGNATURE (TPM 2.0 Part 2 11.3.4): RSASSA, RSAPSS or ECDSA.
 * Errors: EVIDENCE_MALFORMED, also for bytes after it.
 */
export function parseSignature(bytes: Bytes): TpmSignature {
  const cursor = new Cursor(bytes, 'TPMT_SIGNATURE');
  const id = cursor.u16be();
  const scheme = SCHEMES.get(id) ?? cursor.fail(`unknown scheme ${algText(id)}`);
  const hashId = cursor.u16be();
  const hash = hashById(hashId) ?? cursor.fail(`unknown hash ${algText(hashId)}`);
  if (scheme === 'ECDSA') {
    const signature = { scheme, hash, r: cursor.sized(), s: cursor.sized() };
    cursor.end();
    return signature;
  }
  const signature = { scheme, hash, value: cursor.sized() };
  cursor.end();
  return signature;
}

/** True when `signature` over `message` verifies under `key`, in the scheme that `key` is bound to. */
export function verifySignature(
  key: VerifyingKey,
  signature: TpmSignature,
  message: Bytes,
): boolean {
  if (key.scheme !== undefined) {
    const sameScheme = SCHEMES.get(key.scheme.id) === signature.scheme;
    if (!sameScheme || key.scheme.hash !== signature.hash) return false;
  }
  const { hash } = signature;
  if (signature.scheme !== 'ECDSA') {
    if (key.type !== 'RSA') return false;
    const scheme = { scheme: signature.scheme, hash: hash.name };
    return verifyTpmSignature(key.key, scheme, message, signature.value);
  }
  if (key.type !== 'ECC') return false;
  const { sizeBytes } = key.curve;
  const { r, s } = signature;
  if (r.length > sizeBytes || s.length > sizeBytes) return false;
  const raw = concat(Buffer.alloc(sizeBytes - r.length), r, Buffer.alloc(sizeBytes - s.length), s);
  return verifyTpmSignature(key.key, { scheme: 'ECDSA', hash: hash.name }, message, raw);
}

const SCHEMES: ReadonlyMap<number, TpmSignature['scheme']> = new Map([
  [ALG.RSASSA, 'RSASSA'],
  [ALG.RSAPSS, 'RSAPSS'],
  [ALG.ECDSA, 'ECDSA'],
] as const);
