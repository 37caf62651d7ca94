// HKDF-SHA-256 (RFC 5869) over OpenSSL, one output block at most. The only KDF of chains and
// lanes except the epoch step, whose algorithm is drawn per epoch (registry.ts).
import { Buffer } from 'node:buffer';
import { sha256, type Bytes } from '#agent/base/bytes.ts';
import { sha256Into } from '#proxy/native/evp.ts';

const ONE = Uint8Array.of(1);

/** Block and digest of SHA-256 (FIPS 180-4). */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** Longer messages, which no lane has, get memory of their own. */
const SCRATCH_BYTES = 512;
const scratch = Buffer.alloc(BLOCK_BYTES + SCRATCH_BYTES);
const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
const innerDigest = outer.subarray(BLOCK_BYTES);

/**
 * HMAC-SHA-256 (RFC 2104) of the concatenation of `parts`, 32 bytes. Made of two one-shot hashes: an
 * Hmac object takes longer to make and to collect than both, and a lane takes a dozen.
 */
export function hmac(key: Bytes, ...parts: readonly Bytes[]): Buffer {
  const block = key.length > BLOCK_BYTES ? sha256(key) : key;
  let end = BLOCK_BYTES;
  for (const part of parts) end += part.length;
  const inner = end <= scratch.length ? scratch : Buffer.alloc(end);
  for (let i = 0; i < BLOCK_BYTES; i += 1) {
    const byte = block[i] ?? 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  let at = BLOCK_BYTES;
  for (const part of parts) {
    inner.set(part, at);
    at += part.length;
  }
  sha256Into(innerDigest, inner, end);
  const mac = Buffer.allocUnsafe(DIGEST_BYTES);
  sha256Into(mac, outer);
  inner.fill(0, 0, end);
  outer.fill(0);
  return mac;
}

/** HKDF-Extract (RFC 5869 2.2): 32 bytes. */
export const extract = (salt: Bytes, ...ikm: readonly Bytes[]): Buffer => hmac(salt, ...ikm);

/** HKDF-Expand (RFC 5869 2.3) of one block: exactly 32 bytes for the concatenation of `info`. */
export const expand = (prk: Bytes, ...info: readonly Bytes[]): Buffer => hmac(prk, ...info, ONE);
