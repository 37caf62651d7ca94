// Ranges of addresses and ports, as configuration names what is excepted from a refusal: what one is,
// how it is written, and whether an endpoint stands in one. It reads no configuration.
import { BlockList, isIP, isIPv6 } from 'node:net';
import { addressBytes, addressText } from '#proxy/native/sockaddr.ts';
import type { Endpoint } from '#proxy/see/address.ts';

export interface Range {
  /** `10.0.0.0/8` or `2001:db8::/32`, no bit set beyond the prefix; an address stands for itself. */
  readonly network: string;
  /** Empty: every port. */
  readonly ports: readonly number[];
}

/** The family of a network. */
export const familyOf = (network: string): 4 | 6 => (network.includes(':') ? 6 : 4);

/** `text` as a network with no bit set beyond its prefix; undefined: it is no network and no address. */
export function networkOf(text: string): string | undefined {
  const [address = '', prefix, more] = text.split('/');
  if (isIP(address) === 0 || address.includes('%') || more !== undefined) return undefined;
  const bytes = addressBytes(address);
  if (prefix === undefined) return addressText(bytes);
  const bits = Number(prefix);
  if (!/^\d{1,3}$/.test(prefix) || bits > bytes.length * 8) return undefined;
  const first = bytes.map((byte, at) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - at * 8))));
  return `${addressText(first)}/${bits}`;
}

/** For people: `10.0.0.0/8 port 53, 80`. */
export const rangeText = ({ network, ports }: Range): string =>
  ports.length === 0 ? network : `${network} port ${ports.join(', ')}`;

/** Ranges, to be asked again and again. */
export class Ranges {
  readonly #ranges: readonly IndexedRange[];

  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges.map(indexed);
  }

  /** The first range with `endpoint`, its address in its one form. */
  find({ address, port }: Endpoint): Range | undefined {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return this.#ranges.find(
      ({ range: { ports }, addresses, family: own }) =>
        // A BlockList takes IPv4 for a part of IPv6.
        own === family &&
        (ports.length === 0 || ports.includes(port)) &&
        addresses.check(address, family),
    )?.range;
  }
}

interface IndexedRange {
  readonly range: Range;
  readonly family: 'ipv4' | 'ipv6';
  readonly addresses: BlockList;
}

function indexed(range: Range): IndexedRange {
  const [address = '', prefix] = range.network.split('/');
  const family = familyOf(range.network) === 6 ? 'ipv6' : 'ipv4';
  const addresses = new BlockList();
  if (prefix === undefined) addresses.addAddress(address, family);
  else addresses.addSubnet(address, Number(prefix), family);
  return { range, family, addresses };
}
