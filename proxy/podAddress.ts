// Which addresses can be a pod's: those of one host, of which it is known how to get there. It does not
// say whose an address is.
import { isIPv4 } from 'node:net';
import { canonicalAddress } from '#proxy/see/address.ts';
import { Ranges } from './range.ts';

/** They exist in every namespace, name many hosts, or count on one link only (RFC 6890, RFC 4291). */
const NO_PODS = new Ranges(
  [
    '0.0.0.0/8',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '224.0.0.0/4',
    '255.255.255.255',
    '::/127',
    'fe80::/10',
    'ff00::/8',
  ].map((network) => ({ network, ports: [] })),
);

/**
 * `text` in its one form; undefined: no address, or an unspecified, loopback, link-local, multicast or
 * broadcast one, or IPv4 written as IPv6.
 */
export function podAddress(text: string): string | undefined {
  const address = canonicalAddress(text);
  if (address === undefined || isIPv4(address) !== isIPv4(text)) return undefined;
  return NO_PODS.find({ address, port: 0 }) ? undefined : address;
}
