// HKDF-SHA-256 (RFC 5869) over OpenSSL, one output block at most. The only KDF of chains and
// lanes except the epoch step, whose algorithm is drawn per epoch (registry.ts).
import { Buffer } from 'node:buffer';
import { sha256, type Bytes } from '#agent/base/bytes.ts';
import { BLOCK_BYTES, DIGEST_BYTES, digestInto, pad, paddedBytes } from '#proxy/native/sha256.ts';

const ONE = Uint8Array.of(1);

/** Longer messages, which no lane has, get memory of their own. */
const SCRATCH_BYTES = 512;
const OUTER_BYTES = BLOCK_BYTES + DIGEST_BYTES;
const [INNER_PAD, OUTER_PAD] = [0x36, 0x5c];
/** Both begin with the block of a key of zeros, but while hmac() is at work. */
const scratch = Buffer.alloc(BLOCK_BYTES + SCRATCH_BYTES).fill(INNER_PAD, 0, BLOCK_BYTES);
const outer = Buffer.alloc(paddedBytes(OUTER_BYTES)).fill(OUTER_PAD, 0, BLOCK_BYTES);
pad(outer, OUTER_BYTES);

/**
 * HMAC-SHA-256 (RFC 2104) of the concatenation of `parts`, 32 bytes. Made of two hashes: an Hmac object
 * takes longer to make and to collect than both, and a lane takes a dozen.
 */
export function hmac(key: Bytes, ...parts: readonly Bytes[]): Buffer {
  const block = key.length > BLOCK_BYTES ? sha256(key) : key;
  let end = BLOCK_BYTES;
  for (const part of parts) end += part.length;
  const padded = paddedBytes(end);
  const inner = padded <= scratch.length ? scratch : Buffer.alloc(padded, INNER_PAD);
  for (let i = 0; i < block.length; i += 1) {
    const byte = block[i] ?? 0;
    inner[i] = byte ^ INNER_PAD;
    outer[i] = byte ^ OUTER_PAD;
  }
  let at = BLOCK_BYTES;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 1) inner[at + i] = part[i] ?? 0;
    at += part.length;
  }
  pad(inner, end);
  digestInto(outer, BLOCK_BYTES, inner, padded);
  const mac = Buffer.allocUnsafe(DIGEST_BYTES);
  digestInto(mac, 0, outer, outer.length);
  for (let i = 0; i < block.length; i += 1) {
    inner[i] = INNER_PAD;
    outer[i] = OUTER_PAD;
  }
  for (let i = BLOCK_BYTES; i < end; i += 1) inner[i] = 0;
  for (let i = BLOCK_BYTES; i < OUTER_BYTES; i += 1) outer[i] = 0;
  return mac;
}

/** HKDF-Extract (RFC 5869 2.2): 32 bytes. */
export const extract = (salt: Bytes, ...ikm: readonly Bytes[]): Buffer => hmac(salt, ...ikm);

/** HKDF-Expand (RFC 5869 2.3) of one block: exactly 32 bytes for the concatenation of `info`. */
export const expand = (prk: Bytes, ...info: readonly Bytes[]): Buffer => hmac(prk, ...info, ONE);
