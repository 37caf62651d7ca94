// The AEADs of lanes over node:crypto: nonce construction and the calls that differ between them.
// Knows no frame and no key schedule.
import {
  createCipheriv,
  createDecipheriv,
  type CipherGCM,
  type DecipherGCM,
  type CipherGCMTypes,
} from 'node:crypto';
import { concat, truncate, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';

export const TAG_BYTES = 16;
const TAG = { authTagLength: TAG_BYTES } as const;

/** OpenSSL's names; node's types know the calls of GCM, which the other two share. */
const OPENSSL: Readonly<Record<AeadName, string>> = {
  'AES-256-GCM': 'aes-256-gcm',
  'ChaCha20-Poly1305': 'chacha20-poly1305',
  'AES-256-GCM-SIV': 'aes-256-gcm-siv',
};

/** Whether a message may be given in pieces; AES-GCM-SIV reads all of it before it encrypts. */
export const isStreaming = (aead: AeadName): boolean => aead !== 'AES-256-GCM-SIV';

export const cipher = (aead: AeadName, key: Bytes, nonce: Bytes): CipherGCM =>
  createCipheriv(OPENSSL[aead] as CipherGCMTypes, key, nonce, TAG);

export const decipher = (aead: AeadName, key: Bytes, nonce: Bytes): DecipherGCM =>
  createDecipheriv(OPENSSL[aead] as CipherGCMTypes, key, nonce, TAG);

/** A whole message: ciphertext and tag. */
export function seal(aead: AeadName, key: Bytes, nonce: Bytes, aad: Bytes, plain: Bytes): Buffer {
  const sealing = cipher(aead, key, nonce).setAAD(aad);
  const body = sealing.update(plain);
  sealing.final();
  return concat(body, sealing.getAuthTag());
}

/** The plaintext of `sealed` (ciphertext and tag), or undefined when it does not verify. */
export function open(
  aead: AeadName,
  key: Bytes,
  nonce: Bytes,
  aad: Bytes,
  sealed: Bytes,
): Buffer | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  const opening = decipher(aead, key, nonce).setAuthTag(sealed.subarray(length)).setAAD(aad);
  try {
    const plain = opening.update(sealed.subarray(0, length));
    opening.final();
    return plain;
  } catch {
    return undefined; // the tag: node:crypto has no other way to say so
  }
}

/** Nonces of one key: IV xor counter, the counter in the last bytes (RFC 8446 5.3). */
export class Nonces {
  readonly #nonce: Buffer;
  readonly #low: number;
  #counter = 0;

  /** `iv` 12 bytes. Counters stay below 2^24 (PROTOCOL 7), so only the last 4 bytes change. */
  constructor(iv: Bytes) {
    this.#nonce = Buffer.from(iv);
    this.#low = truncate(12, iv).readUInt32BE(8);
  }

  /** How many nonces were drawn. */
  get used(): number {
    return this.#counter;
  }

  /** The next nonce, valid until the next call. */
  next(): Buffer {
    this.#nonce.writeUInt32BE((this.#low ^ this.#counter) >>> 0, 8);
    this.#counter += 1;
    return this.#nonce;
  }
}
