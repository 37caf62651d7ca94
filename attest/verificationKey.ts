// Public keys that results and manifests are verified by: PEM, a JWK, a JWK set, or the two halves of a
// signing key of ours. Secrets are refused, so that nobody gets used to handing them about.
import type { KeyObject } from 'node:crypto';
import {
  publicKeyFromJwk,
  publicKeyFromPem,
  publicKeyFromRaw,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { malformed } from './cursor.ts';
import { readBounded } from './boundedJson.ts';
import { isObject, type JsonObject } from '#attest/ear/jws.ts';

export const MAX_KEY_BYTES = 256 << 10;
const MAX_KEYS = 64;
const WHAT = 'verification key';

export interface VerificationKey {
  readonly key: KeyObject;
  /** The one algorithm that the key says it is for (RFC 7517 4.4). */
  readonly alg?: string;
}

/** The keys in PEM (SPKI or certificate), a JWK or a JWK set (RFC 7517). Errors: EVIDENCE_MALFORMED. */
export function parseVerificationKeys(bytes: Bytes): VerificationKey[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().trim();
  if (text.startsWith('-----BEGIN')) return [{ key: pemKey(text) }];
  const json = readBounded(bytes, MAX_KEY_BYTES);
  if ('why' in json || !isObject(json.value)) throw malformed(WHAT, 'neither PEM nor a JWK');
  const { keys } = json.value;
  if (keys === undefined) return [jwkKey(json.value)];
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    throw malformed(WHAT, `a set of 1 to ${MAX_KEYS} keys was expected`);
  }
  const usable = keys.filter(isObject).filter(isForSigning);
  if (usable.length === 0) throw malformed(WHAT, 'no key of the set is for signatures');
  return usable.map(jwkKey);
}

/** Both halves of a signing key of ours, each for its own algorithm. */
export const keysOfSigner = ({ ed25519, mldsa65 }: SigningPublic): VerificationKey[] => [
  { key: publicKeyFromRaw('ed25519', ed25519) },
  { key: publicKeyFromRaw('ml-dsa-65', mldsa65) },
];

const PRIVATE_PEM = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

function pemKey(text: string): KeyObject {
  if (PRIVATE_PEM.test(text)) throw malformed(WHAT, 'it is a private key; give the public one');
  try {
    return publicKeyFromPem(text);
  } catch (cause) {
    throw malformed(WHAT, `OpenSSL cannot read it (${messageOf(cause)})`, cause);
  }
}

/** Key types that verify signatures (RFC 7518 6.1, RFC 8037 2, draft-ietf-cose-dilithium). */
const SIGNING_TYPES: readonly unknown[] = ['EC', 'RSA', 'OKP', 'AKP'];
/** Members that only a private or a shared key has. */
const SECRET_MEMBERS = ['d', 'k', 'priv'] as const;

/** `use` and `key_ops` are optional (RFC 7517 4.2 and 4.3). */
const isForSigning = ({ kty, use, key_ops: operations }: JsonObject): boolean =>
  SIGNING_TYPES.includes(kty) &&
  (use === undefined || use === 'sig') &&
  (!Array.isArray(operations) || operations.includes('verify'));

function jwkKey(jwk: JsonObject): VerificationKey {
  if (SECRET_MEMBERS.some((member) => jwk[member] !== undefined)) {
    throw malformed(WHAT, 'it is a private or a shared key; give the public one');
  }
  if (!isForSigning(jwk)) throw malformed(WHAT, 'the JWK is not for signatures');
  try {
    const key = publicKeyFromJwk({ ...jwk });
    return typeof jwk['alg'] === 'string' ? { key, alg: jwk['alg'] } : { key };
  } catch (cause) {
    throw malformed(WHAT, `the JWK is not valid (${messageOf(cause)})`, cause);
  }
}
