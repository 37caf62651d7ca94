// The AEADs of lanes: by which cipher each is, and how the nonces of a key follow one another. Knows no
// frame and no key schedule.
import { Buffer } from 'node:buffer';
import type { AeadName } from '#proxy/chips/registry.ts';
import { truncate, type Bytes } from '#agent/base/bytes.ts';
import { cipherOf, openInto, sealInto, TAG_BYTES, type Cipher } from '#proxy/native/evp.ts';

export { TAG_BYTES };

const CIPHERS: Readonly<Record<AeadName, Cipher>> = {
  'AES-256-GCM': cipherOf('AES-256-GCM'),
  'ChaCha20-Poly1305': cipherOf('ChaCha20-Poly1305'),
  'AES-256-GCM-SIV': cipherOf('AES-256-GCM-SIV'),
};

/** What encrypts and authenticates under an AEAD's name. */
export const cipherFor = (aead: AeadName): Cipher => CIPHERS[aead];

/** Whether a message may be given in pieces; AES-GCM-SIV reads all of it before it encrypts. */
export const isStreaming = (aead: AeadName): boolean => aead !== 'AES-256-GCM-SIV';

/** A whole message: ciphertext and tag. */
export function seal(aead: AeadName, key: Bytes, nonce: Bytes, aad: Bytes, plain: Bytes): Buffer {
  const out = Buffer.allocUnsafe(plain.length + TAG_BYTES);
  sealInto(out, CIPHERS[aead], key, nonce, aad, plain);
  return out;
}

/** The plaintext of `sealed` (ciphertext and tag), or undefined when it does not verify. */
export function open(
  aead: AeadName,
  key: Bytes,
  nonce: Bytes,
  aad: Bytes,
  sealed: Bytes,
): Buffer | undefined {
  const out = Buffer.allocUnsafe(Math.max(0, sealed.length - TAG_BYTES));
  return openInto(out, CIPHERS[aead], key, nonce, aad, sealed) === undefined ? undefined : out;
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
