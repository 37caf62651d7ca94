// struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)) to and from text addresses.
import { Buffer } from 'node:buffer';
import { SocketAddress, isIPv4, isIPv6 } from 'node:net';

export const AF_INET = 2;
export const AF_INET6 = 10;

export interface Endpoint {
  readonly family: 4 | 6;
  /** IPv4 dotted or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  readonly port: number;
}

/** 16 or 28 bytes as bind(2) takes them. Errors: RangeError when `address` is no IP address. */
export function encodeSockaddr(address: string, port: number): Buffer {
  const out = Buffer.allocUnsafe(28);
  return out.subarray(0, writeSockaddr(out, address, port));
}

/** encodeSockaddr() into `out`, of at least 28 bytes; its length. */
export function writeSockaddr(out: Buffer, address: string, port: number): number {
  const ip = addressBytes(address);
  const length = ip.length === 4 ? 16 : 28;
  for (let i = 0; i < length; i += 1) out[i] = 0;
  out.writeUInt16LE(ip.length === 4 ? AF_INET : AF_INET6, 0);
  out.writeUInt16BE(port, 2);
  out.set(ip, ip.length === 4 ? 4 : 8);
  return length;
}

/** Inverse of encodeSockaddr; undefined for any other family or too few bytes. */
export function decodeSockaddr(raw: Uint8Array): Endpoint | undefined {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
  if (bytes.length < 16) return undefined;
  const family = bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (family === AF_INET) return { family: 4, address: addressText(bytes.subarray(4, 8)), port };
  if (family !== AF_INET6 || bytes.length < 28) return undefined;
  return { family: 6, address: addressText(bytes.subarray(8, 24)), port };
}

/** Addresses that were read before, by their text: a node talks to the same few over and over. */
const known = new Map<string, Buffer>();
const MAX_KNOWN = 1024;

/** 4 or 16 bytes of a text address, to be read only. Errors: RangeError when it is none. */
export function addressBytes(address: string): Buffer {
  const kept = known.get(address);
  if (kept) return kept;
  const bytes = parseAddress(address);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(address, bytes);
  return bytes;
}

function parseAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new RangeError(`no IP address: ${address}`);
  const [head = '', tail] = hexGroups(address).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(8 - before.length - after.length).fill('0');
  const out = Buffer.alloc(16);
  [...before, ...zeros, ...after].forEach((group, i) =>
    out.writeUInt16BE(Number.parseInt(group, 16), i * 2),
  );
  return out;
}

/** Text of 4 or 16 address bytes. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const groups = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(i * 2).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

/** `::ffff:10.0.0.1` as `::ffff:a00:1`. */
function hexGroups(address: string): string {
  const cut = address.lastIndexOf(':') + 1;
  const last = address.slice(cut);
  if (!last.includes('.')) return address;
  const ip = Buffer.from(last.split('.').map(Number));
  const [high, low] = [ip.readUInt16BE(0), ip.readUInt16BE(2)];
  return `${address.slice(0, cut)}${high.toString(16)}:${low.toString(16)}`;
}
