// Addresses as the open block carries them: `family 1 | address 4 or 16 | port 2`. An IPv4 address
// mapped into IPv6 is IPv4, so that one address has one form.
import { isIPv4, isIPv6 } from 'node:net';
import { concat, u16, type Bytes } from '#agent/base/bytes.ts';

export interface Endpoint {
  /** IPv4 in dotted form, or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  readonly port: number;
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** Errors: RangeError on what is no address or no port. */
export function encodeEndpoint(endpoint: Endpoint): Buffer {
  const raw = addressBytes(endpoint.address);
  if (
    raw === undefined ||
    !Number.isInteger(endpoint.port) ||
    (endpoint.port & 0xffff) !== endpoint.port
  ) {
    throw new RangeError(`not an address and port: ${endpoint.address} ${endpoint.port}`);
  }
  return concat(Uint8Array.of(raw.length === 4 ? 4 : 6), raw, u16(endpoint.port));
}

/** The endpoint at the start of `bytes` and how long it was; undefined when it is malformed. */
export function decodeEndpoint(
  bytes: Buffer,
): { readonly endpoint: Endpoint; readonly length: number } | undefined {
  const size = bytes[0] === 4 ? 4 : bytes[0] === 6 ? 16 : undefined;
  if (size === undefined || bytes.length < 1 + size + 2) return undefined;
  const raw = bytes.subarray(1, 1 + size);
  if (size === 16 && raw.subarray(0, 12).equals(MAPPED)) return undefined; // not its one form
  return {
    endpoint: { address: addressText(raw), port: bytes.readUInt16BE(1 + size) },
    length: 1 + size + 2,
  };
}

/** `address` in its one form, or undefined when it is none. */
export function canonicalAddress(address: string): string | undefined {
  if (isIPv4(address)) return address;
  const raw = addressBytes(address);
  return raw && addressText(raw);
}

/** 4 or 16 bytes, or undefined. */
function addressBytes(address: string): Buffer | undefined {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const dotted = address.slice(address.lastIndexOf(':') + 1);
  const text = isIPv4(dotted)
    ? address.slice(0, -dotted.length) + hexGroups(Buffer.from(dotted.split('.').map(Number)))
    : address;
  const [head = '', tail] = text.split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<number>(zeros).fill(0), ...after];
  const raw = concat(...all.map((group) => u16(group)));
  return raw.subarray(0, 12).equals(MAPPED) ? raw.subarray(12) : raw;
}

const groups = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));

const hexGroups = (raw: Buffer): string =>
  Array.from({ length: raw.length / 2 }, (_, i) => raw.readUInt16BE(i * 2).toString(16)).join(':');

/** RFC 5952 4: lower case, the longest run of two or more zero groups as `::`, the first of equals. */
function addressText(raw: Bytes): string {
  const bytes = Buffer.from(raw);
  if (bytes.length === 4) return bytes.join('.');
  const text = `:${hexGroups(bytes)}:`;
  const runs = text.match(/(?::0)+(?=:)/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest.length <= 2) return text.slice(1, -1);
  const at = text.indexOf(`${longest}:`);
  return `${text.slice(1, Math.max(at, 1))}::${text.slice(at + longest.length + 1, -1)}`;
}
