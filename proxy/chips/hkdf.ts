// HKDF-SHA-256 (RFC 5869) over node:crypto, one output block at most. The only KDF of chains and
// lanes except the epoch step, whose algorithm is drawn per epoch (registry.ts).
import { createHmac } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';

const ONE = Uint8Array.of(1);

/** HMAC-SHA-256 (RFC 2104) of the concatenation of `parts`, 32 bytes. */
export function hmac(key: Bytes, ...parts: readonly Bytes[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** HKDF-Extract (RFC 5869 2.2): 32 bytes. */
export const extract = (salt: Bytes, ...ikm: readonly Bytes[]): Buffer => hmac(salt, ...ikm);

/** HKDF-Expand (RFC 5869 2.3) of one block: exactly 32 bytes for the concatenation of `info`. */
export const expand = (prk: Bytes, ...info: readonly Bytes[]): Buffer => hmac(prk, ...info, ONE);
