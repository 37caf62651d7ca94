// MakeCredential in our own code: a secret that only the TPM which holds both this EK and this AK can
// recover (TPM 2.0 Part 1 24). It proves residence, not what the EK is: its certificate does that.
import { createCipheriv, createHmac, randomBytes, type KeyObject } from 'node:crypto';
import { ephemeralAgree, rsaOaepEncrypt } from '#agent/base/asymmetric.ts';
import { concat, fromB64url, u16, utf8, wipe, type Bytes } from '#agent/base/bytes.ts';
import type { HashAlgorithm } from '#attest/tpm/algorithms.ts';
import { kdfa, kdfe } from './kdf.ts';

/** What MakeCredential needs of an endorsement key. */
export interface EkKey {
  /** RSA, or ECC on a NIST curve. */
  readonly key: KeyObject;
  readonly nameAlg: HashAlgorithm;
  readonly aesBits: number;
}

export interface Credential {
  /** TPM2B_ID_OBJECT, with its size. */
  readonly credentialBlob: Buffer;
  /** TPM2B_ENCRYPTED_SECRET, with its size. */
  readonly encryptedSecret: Buffer;
}

/**
 * Protects `secret` for the object named `akName` beside the key `ek` (Part 3 12.6).
 * `secret` is at most a digest of the EK's name algorithm long. Errors: RangeError when it is longer.
 */
export function makeCredential(
  ek: EkKey,
  akName: Bytes,
  secret: Bytes,
  random: (lenBytes: number) => Buffer = randomBytes,
): Credential {
  const { seed, encryptedSecret } =
    ek.key.asymmetricKeyType === 'rsa' ? rsaSeed(ek, random) : eccSeed(ek);
  const credentialBlob = protect(ek, seed, akName, secret);
  wipe(seed);
  return { credentialBlob, encryptedSecret };
}

const LABEL = 'IDENTITY';

interface Seed {
  readonly seed: Buffer;
  readonly encryptedSecret: Buffer;
}

/** Part 1 B.10.4: the label of OAEP carries its terminating zero. */
function rsaSeed(ek: EkKey, random: (lenBytes: number) => Buffer): Seed {
  const seed = random(ek.nameAlg.sizeBytes);
  const label = concat(utf8(LABEL), Uint8Array.of(0));
  return { seed, encryptedSecret: sized(rsaOaepEncrypt(ek.key, ek.nameAlg.name, label, seed)) };
}

/** Part 1 C.6.4: an ephemeral point, its x as party U, the EK's x as party V. */
function eccSeed(ek: EkKey): Seed {
  const { ephemeral, x: z } = ephemeralAgree(ek.key);
  const own = point(ephemeral);
  const seed = kdfe(ek.nameAlg, z, LABEL, own.x, point(ek.key).x, ek.nameAlg.sizeBytes);
  wipe(z);
  return { seed, encryptedSecret: sized(concat(sized(own.x), sized(own.y))) };
}

function point(key: KeyObject): { readonly x: Buffer; readonly y: Buffer } {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return { x: fromB64url(x), y: fromB64url(y) };
}

/** Part 1 24.4 and 24.5: encrypt then HMAC, the object's Name bound by both. */
function protect(ek: EkKey, seed: Bytes, akName: Bytes, secret: Bytes): Buffer {
  const { nameAlg, aesBits } = ek;
  if (secret.length > nameAlg.sizeBytes) throw new RangeError(`secret of ${secret.length} bytes`);
  const none = new Uint8Array();
  const cipherKey = kdfa(nameAlg, seed, 'STORAGE', akName, none, aesBits / 8);
  const cipher = createCipheriv(`aes-${aesBits}-cfb`, cipherKey, Buffer.alloc(16));
  const identity = concat(cipher.update(sized(secret)), cipher.final());
  const macKey = kdfa(nameAlg, seed, 'INTEGRITY', none, none, nameAlg.sizeBytes);
  const mac = createHmac(nameAlg.name, macKey).update(identity).update(akName).digest();
  wipe(cipherKey, macKey);
  return sized(concat(sized(mac), identity));
}

const sized = (bytes: Bytes): Buffer => concat(u16(bytes.length), bytes);
