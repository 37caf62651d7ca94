// Addresses as the open block carries them: `family 1 | address 4 or 16 | port 2`. An IPv4 address
// mapped into IPv6 is IPv4, so that one address has one form.
import { Buffer } from 'node:buffer';
import { isIPv4, isIPv6 } from 'node:net';
import { concat, u16 } from '#agent/base/bytes.ts';
import { addressBytes, addressText } from '#proxy/native/sockaddr.ts';

export interface Endpoint {
  /** IPv4 in dotted form, or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  readonly port: number;
}

/** `::ffff:0:0/96` (RFC 4291 2.5.5.2). */
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');
const isMapped = (raw: Buffer): boolean => raw.length === 16 && raw.subarray(0, 12).equals(MAPPED);

/** Errors: RangeError on what is no address. */
export function encodeEndpoint(endpoint: Endpoint): Buffer {
  const raw = rawAddress(endpoint.address);
  return concat(Uint8Array.of(raw.length === 4 ? 4 : 6), raw, u16(endpoint.port));
}

/** The endpoint at the start of `bytes` and its length; undefined when it is malformed. */
export function decodeEndpoint(
  bytes: Buffer,
): { readonly endpoint: Endpoint; readonly length: number } | undefined {
  const size = bytes[0] === 4 ? 4 : bytes[0] === 6 ? 16 : undefined;
  if (size === undefined || bytes.length < 1 + size + 2) return undefined;
  const raw = bytes.subarray(1, 1 + size);
  if (isMapped(raw)) return undefined; // not its one form
  return {
    endpoint: { address: addressText(raw), port: bytes.readUInt16BE(1 + size) },
    length: 1 + size + 2,
  };
}

/** `address` in its one form, or undefined when it is none. */
export function canonicalAddress(address: string): string | undefined {
  if (isIPv4(address)) return address; // it has but one
  return isIPv6(address) && !address.includes('%') ? addressText(rawAddress(address)) : undefined;
}

function rawAddress(address: string): Buffer {
  const raw = addressBytes(address);
  return isMapped(raw) ? raw.subarray(12) : raw;
}
