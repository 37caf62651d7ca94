// The asymmetric algorithms that noble's packages here do not have, by node:crypto from raw keys: Ed25519,
// ML-DSA-65, X25519 and ML-KEM-768. PROTOCOL 2 says which 32 bytes a private half is.
import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';

type Algorithm = 'ed25519' | 'ml-dsa-65' | 'x25519' | 'ml-kem-768';

const FORMAT = {
  ed25519: 'raw-private',
  x25519: 'raw-private',
  'ml-dsa-65': 'raw-seed',
  'ml-kem-768': 'raw-seed',
} as const;

const privateKey = (algorithm: Algorithm, half: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.from(half),
    format: FORMAT[algorithm],
    asymmetricKeyType: algorithm,
  });

const publicKey = (algorithm: Algorithm, half: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(half), format: 'raw-public', asymmetricKeyType: algorithm });

/** The public half of a private one. */
export const publicHalf = (algorithm: Algorithm, half: Uint8Array): Uint8Array =>
  new Uint8Array(createPublicKey(privateKey(algorithm, half)).export({ format: 'raw-public' }));

/** An Ed25519 signature, 64 bytes (RFC 8032 5.1.6). */
export const signEd25519 = (half: Uint8Array, message: Uint8Array): Uint8Array =>
  new Uint8Array(sign(null, message, privateKey('ed25519', half)));

/** Whether a signature is that of a public half over a message. */
export const verifies = (
  algorithm: 'ed25519' | 'ml-dsa-65',
  half: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean => verify(null, message, publicKey(algorithm, half), signature);

/** X25519 (RFC 7748 6.1), or undefined if the result is all zero. */
export function x25519(half: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  const keys = { privateKey: privateKey('x25519', half), publicKey: publicKey('x25519', peer) };
  try {
    return new Uint8Array(diffieHellman(keys));
  } catch {
    return undefined; // OpenSSL makes no all-zero result; of right keys it fails at nothing else
  }
}

/** The secret that an ML-KEM-768 ciphertext carries (FIPS 203 7.3), 32 bytes; `seed` is d || z. */
export const decapsulateMlKem768 = (seed: Uint8Array, ciphertext: Uint8Array): Uint8Array =>
  new Uint8Array(decapsulate(privateKey('ml-kem-768', seed), ciphertext));
