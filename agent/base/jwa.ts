// The signature algorithms of JOSE and COSE: their names, what each means to OpenSSL, and which keys are
// for which. Nothing is signed or verified here; asymmetric.ts does.
import { constants, type KeyObject, type SigningOptions } from 'node:crypto';

interface JwaParameters extends SigningOptions {
  /** Undefined where the algorithm hashes by itself. */
  readonly hash?: string;
}

interface Jwa extends JwaParameters {
  /** Type and curve of the key, as node:crypto names them. */
  readonly type: string;
  readonly curve?: string;
}

const ecdsa = (curve: string, hash: string): Jwa => ({
  type: 'ec',
  curve,
  hash,
  dsaEncoding: 'ieee-p1363', // r || s (RFC 7518 3.4)
});

const pkcs1 = (hash: string): Jwa => ({ type: 'rsa', hash, padding: constants.RSA_PKCS1_PADDING });

const pss = (hash: string): Jwa => ({
  type: 'rsa',
  hash,
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST, // RFC 7518 3.5
});

/** RFC 7518 3.1, RFC 8037 3.1, RFC 9864 2.2, draft-ietf-cose-dilithium; no MAC, and not `none`. */
const JWA = {
  ES256: ecdsa('prime256v1', 'sha256'),
  ES384: ecdsa('secp384r1', 'sha384'),
  ES512: ecdsa('secp521r1', 'sha512'),
  RS256: pkcs1('sha256'),
  RS384: pkcs1('sha384'),
  RS512: pkcs1('sha512'),
  PS256: pss('sha256'),
  PS384: pss('sha384'),
  PS512: pss('sha512'),
  EdDSA: { type: 'ed25519' },
  Ed25519: { type: 'ed25519' },
  'ML-DSA-65': { type: 'ml-dsa-65' },
} as const satisfies Record<string, Jwa>;

export type JwaName = keyof typeof JWA;

export const isJwaName = (name: string): name is JwaName => Object.hasOwn(JWA, name);

const MIN_RSA_BITS = 2048; // RFC 7518 3.3

/** Whether the public key `key` is of the kind, the curve and the size that `alg` is for. */
export function jwaFits(key: KeyObject, alg: JwaName): boolean {
  const { type, curve }: Jwa = JWA[alg];
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.type !== 'public' || key.asymmetricKeyType !== type) return false;
  return type === 'rsa' ? modulusLength >= MIN_RSA_BITS : curve === namedCurve;
}

/** What node:crypto has to be told to verify `alg`. */
export function jwaParameters(alg: JwaName): JwaParameters {
  const { type: _type, curve: _curve, ...parameters }: Jwa = JWA[alg];
  return parameters;
}
