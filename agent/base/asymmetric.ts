// Every asymmetric operation of the product, counted. No other module may import one: that is how
// G1 (no asymmetric operation per lane) can be read off a counter. A test checks the imports.
import { Buffer } from 'node:buffer';
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  sign as nodeSign,
  verify as nodeVerify,
  constants,
  publicEncrypt,
  randomBytes,
  type JsonWebKeyInput,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto';
import { b64url, concat, equal, sha256, truncate, utf8, wipe, type Bytes } from './bytes.ts';
import { hpkeOpen, hpkeSeal, xwingPublic, type Sealed } from './hpke.ts';
import { jwaFits, jwaParameters, type JwaName } from './jwa.ts';

/** What an operation was for: node statements and their pairs, MAID tokens, or anything else. */
export type Purpose = 'statements' | 'tokens' | 'other';

export interface AsymmetricCounts {
  readonly total: number;
  readonly statements: number;
  readonly tokens: number;
}

const counts: Record<Purpose, number> = { statements: 0, tokens: 0, other: 0 };

/** Operations of this process so far. */
export const asymmetricCounts = (): AsymmetricCounts => ({
  total: counts.statements + counts.tokens + counts.other,
  statements: counts.statements,
  tokens: counts.tokens,
});

// --- Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204) -------------------------------------------------

/** Raw public halves: Ed25519 32 bytes, ML-DSA-65 1,952 bytes. */
export interface SigningPublic {
  readonly ed25519: Bytes;
  readonly mldsa65: Bytes;
}

/** Raw seeds, 32 bytes each. Whoever holds it zeroes it. */
export interface SigningSeeds {
  readonly ed25519: Bytes;
  readonly mldsa65: Bytes;
}

export interface SigningKey {
  readonly keyId: string;
  readonly public: SigningPublic;
  ed25519(message: Bytes, purpose: Purpose): Buffer;
  mldsa65(message: Bytes, purpose: Purpose): Buffer;
  /** For owner keys, which are written to a file; node keys never leave the process. */
  seeds(): SigningSeeds;
}

const KEY_ID = utf8('tidelock/key/v1');

/** `keyId` of a signing key: base64url of T(16, SHA-256("tidelock/key/v1" || both public halves)). */
export const signingKeyId = (key: SigningPublic): string =>
  b64url(truncate(16, sha256(KEY_ID, key.ed25519, key.mldsa65)));

export function generateSigningKey(): SigningKey {
  counts.other += 1;
  return signingKey(
    generateKeyPairSync('ed25519').privateKey,
    generateKeyPairSync('ml-dsa-65').privateKey,
  );
}

export function signingKeyFromSeeds(seeds: SigningSeeds): SigningKey {
  return signingKey(
    createPrivateKey({
      key: Buffer.from(seeds.ed25519),
      format: 'raw-private',
      asymmetricKeyType: 'ed25519',
    }),
    createPrivateKey({
      key: Buffer.from(seeds.mldsa65),
      format: 'raw-seed',
      asymmetricKeyType: 'ml-dsa-65',
    }),
  );
}

function signingKey(ed: KeyObject, ml: KeyObject): SigningKey {
  const pub: SigningPublic = {
    ed25519: createPublicKey(ed).export({ format: 'raw-public' }),
    mldsa65: createPublicKey(ml).export({ format: 'raw-public' }),
  };
  return {
    keyId: signingKeyId(pub),
    public: pub,
    ed25519: (message, purpose) => {
      counts[purpose] += 1;
      return nodeSign(null, message, ed);
    },
    mldsa65: (message, purpose) => {
      counts[purpose] += 1;
      return nodeSign(null, message, ml);
    },
    seeds: () => ({
      ed25519: ed.export({ format: 'raw-private' }),
      mldsa65: ml.export({ format: 'raw-seed' }),
    }),
  };
}

/** True when `signature` is valid; false for any malformed key or signature. */
export const verifyEd25519 = (
  publicKey: Bytes,
  message: Bytes,
  signature: Bytes,
  purpose: Purpose,
): boolean => verifyRaw('ed25519', publicKey, message, signature, purpose);

/** True when `signature` is valid; false for any malformed key or signature. */
export const verifyMldsa65 = (
  publicKey: Bytes,
  message: Bytes,
  signature: Bytes,
  purpose: Purpose,
): boolean => verifyRaw('ml-dsa-65', publicKey, message, signature, purpose);

function verifyRaw(
  type: 'ed25519' | 'ml-dsa-65',
  publicKey: Bytes,
  message: Bytes,
  signature: Bytes,
  purpose: Purpose,
): boolean {
  counts[purpose] += 1;
  try {
    return nodeVerify(null, message, knownKey(type, publicKey), signature);
  } catch {
    return false; // a public key or signature of the wrong shape verifies nothing
  }
}

/** A key object costs as much as a verification. Those of ML-DSA are large: one is kept, the conductor's as a rule. */
const edKeys = new WeakMap<Bytes, readonly [copyOfRaw: Bytes, key: KeyObject]>();
let mldsaKey: readonly [copyOfRaw: Bytes, key: KeyObject] | undefined;

function knownKey(type: 'ed25519' | 'ml-dsa-65', raw: Bytes): KeyObject {
  const known = type === 'ed25519' ? edKeys.get(raw) : mldsaKey;
  if (known && equal(known[0], raw)) return known[1];
  const key = publicKeyFromRaw(type, raw);
  if (type === 'ed25519') edKeys.set(raw, [Buffer.from(raw), key]);
  else mldsaKey = [Buffer.from(raw), key];
  return key;
}

/** A raw public half as a key. Errors: Error when it is of the wrong length. */
export const publicKeyFromRaw = (type: 'ed25519' | 'ml-dsa-65', raw: Bytes): KeyObject =>
  createPublicKey({ key: Buffer.from(raw), format: 'raw-public', asymmetricKeyType: type });

/** An Ed25519 workload key (PROTOCOL 9): it signs MAID tokens and never leaves the agent. */
export interface WorkloadKey {
  /** 32 bytes. */
  readonly public: Bytes;
  sign(message: Bytes): Buffer;
}

export function generateWorkloadKey(): WorkloadKey {
  counts.tokens += 1;
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    public: publicKey.export({ format: 'raw-public' }),
    sign: (message) => {
      counts.tokens += 1;
      return nodeSign(null, message, privateKey);
    },
  };
}

// --- X25519 (RFC 7748) ----------------------------------------------------------------------------

export interface LaneKey {
  /** 32 bytes. */
  readonly public: Bytes;
  /** `pair(a, b)` of PROTOCOL 5, 32 bytes. Errors: RangeError on an all-zero result (RFC 7748 6.1). */
  agree(peerPublic: Bytes): Buffer;
}

export function generateLaneKey(): LaneKey {
  counts.statements += 1;
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return {
    public: publicKey.export({ format: 'raw-public' }),
    agree: (peerPublic) => {
      counts.statements += 1;
      const peer = createPublicKey({
        key: Buffer.from(peerPublic),
        format: 'raw-public',
        asymmetricKeyType: 'x25519',
      });
      let shared: Buffer;
      try {
        shared = diffieHellman({ privateKey, publicKey: peer });
      } catch (cause) {
        throw new RangeError('X25519 with this public key is all zero', { cause });
      }
      if (shared.every((byte) => byte === 0)) {
        throw new RangeError('X25519 with this public key is all zero');
      }
      return shared;
    },
  };
}

// --- Sealing: HPKE under X-Wing (hpke.ts) ---------------------------------------------------------

/** A one-use X-Wing key (PROTOCOL 2): `open` may be called once, then the private half is dropped. */
export interface SealKey {
  /** 1,216 bytes. */
  readonly public: Bytes;
  /** Errors: RangeError when used a second time; Error when the message does not open. */
  open(sealed: Sealed, info: Bytes): Buffer;
}

export function generateSealKey(): SealKey {
  counts.statements += 1;
  const seed = randomBytes(32);
  let isUsed = false;
  return {
    public: xwingPublic(seed),
    open: (sealed, info) => {
      if (isUsed) throw new RangeError('this seal key has been used');
      counts.statements += 1;
      const plaintext = hpkeOpen(seed, sealed, info);
      isUsed = true;
      wipe(seed);
      return plaintext;
    },
  };
}

/** Seals `plaintext` to an X-Wing public key. Errors: Error on a malformed key. */
export function sealTo(publicKey: Bytes, info: Bytes, plaintext: Bytes): Sealed {
  counts.statements += 1;
  return hpkeSeal(publicKey, info, plaintext);
}

// --- TPM and X.509 keys ---------------------------------------------------------------------------

export type TpmScheme =
  | { readonly scheme: 'RSASSA' | 'RSAPSS'; readonly hash: string }
  | { readonly scheme: 'ECDSA'; readonly hash: string };

/**
 * Verifies a TPM signature (TPM 2.0 Part 2 11.3.4) over `message`; ECDSA as raw r || s (IEEE P1363).
 * False for any signature that does not verify.
 */
export function verifyTpmSignature(
  key: KeyObject,
  scheme: TpmScheme,
  message: Bytes,
  signature: Bytes,
): boolean {
  counts.statements += 1;
  try {
    switch (scheme.scheme) {
      case 'RSASSA':
        return nodeVerify(
          scheme.hash,
          message,
          { key, padding: constants.RSA_PKCS1_PADDING },
          signature,
        );
      case 'RSAPSS':
        return nodeVerify(
          scheme.hash,
          message,
          {
            key,
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: constants.RSA_PSS_SALTLEN_AUTO,
          },
          signature,
        );
      case 'ECDSA':
        return nodeVerify(scheme.hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
    }
  } catch {
    return false; // a signature of the wrong length is not valid
  }
}

/** Verifies a JWS or COSE signature, ECDSA as raw r || s; false also for a key that does not fit `alg`. */
export function verifyJwa(key: KeyObject, alg: JwaName, message: Bytes, signature: Bytes): boolean {
  counts.other += 1;
  if (!jwaFits(key, alg)) return false;
  const { hash, ...options } = jwaParameters(alg);
  try {
    return nodeVerify(hash ?? null, message, { ...options, key }, signature);
  } catch {
    return false; // a signature of the wrong length is not valid
  }
}

/** A public key from its JWK (RFC 7517). Errors: Error for a point off the curve or a malformed key. */
export const publicKeyFromJwk = (jwk: JsonWebKeyInput['key']): KeyObject =>
  createPublicKey({ key: jwk, format: 'jwk' });

/** The public key in a PEM SubjectPublicKeyInfo or certificate. Errors: Error for anything else. */
export const publicKeyFromPem = (pem: string): KeyObject => createPublicKey(pem);

/** True when the key of `issuer` signed `certificate`; says nothing about names, dates or purpose. */
export function certificateSignedBy(
  certificate: X509Certificate,
  issuer: X509Certificate,
): boolean {
  counts.other += 1;
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key or an algorithm that OpenSSL does not know verifies nothing
  }
}

/**
 * Verifies ECDSA over `message` with a DER signature, as X.509 writes it (RFC 3279 2.2.3). False for any
 * signature that does not verify.
 */
export function verifyDerEcdsa(
  key: KeyObject,
  hash: string,
  message: Bytes,
  signature: Bytes,
): boolean {
  counts.other += 1;
  try {
    return key.asymmetricKeyType === 'ec' && nodeVerify(hash, message, key, signature);
  } catch {
    return false; // what is no DER is no signature
  }
}

/** RSA-OAEP for MakeCredential (TPM 2.0 Part 1 B.10.4); `label` includes its terminating zero. */
export function rsaOaepEncrypt(key: KeyObject, hash: string, label: Bytes, message: Bytes): Buffer {
  counts.statements += 1;
  return publicEncrypt(
    {
      key,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: hash,
      oaepLabel: Buffer.from(label),
    },
    message,
  );
}

/** An ephemeral key on the curve of `peer` and the x coordinate of the shared point (Part 1 C.6.1). */
export function ephemeralAgree(peer: KeyObject): {
  readonly ephemeral: KeyObject;
  readonly x: Buffer;
} {
  counts.statements += 1;
  const namedCurve = peer.asymmetricKeyDetails?.namedCurve ?? '';
  const pair = generateKeyPairSync('ec', { namedCurve });
  return {
    ephemeral: pair.publicKey,
    x: diffieHellman({ privateKey: pair.privateKey, publicKey: peer }),
  };
}

/** Concatenated raw public halves, as they stand in a statement's `sign`. */
export const encodeSigningPublic = (key: SigningPublic): Buffer => concat(key.ed25519, key.mldsa65);

/** Inverse of encodeSigningPublic. Errors: RangeError on any other length than 1,984 bytes. */
export function decodeSigningPublic(raw: Bytes): SigningPublic {
  if (raw.length !== 32 + 1952) throw new RangeError(`signing key of ${raw.length} bytes`);
  return { ed25519: raw.subarray(0, 32), mldsa65: raw.subarray(32) };
}
