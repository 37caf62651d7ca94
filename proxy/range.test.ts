import { describe, expect, it } from 'vitest';
import { networkOf, Ranges, rangeText } from './range.ts';

const ranges = new Ranges([
  { network: '10.0.0.0/8', ports: [443] },
  { network: '192.0.2.7', ports: [] },
  { network: '2001:db8::/32', ports: [53, 80] },
]);
const find = (address: string, port: number) => ranges.find({ address, port })?.network;

describe('Ranges', () => {
  it('find() wants both the network and the port', () => {
    expect(find('10.255.0.1', 443)).toBe('10.0.0.0/8');
    expect(find('10.255.0.1', 80)).toBeUndefined();
    expect(find('11.0.0.1', 443)).toBeUndefined();
  });

  it('find() takes an address alone for itself, and no ports for every port', () => {
    expect(find('192.0.2.7', 1)).toBe('192.0.2.7');
    expect(find('192.0.2.8', 1)).toBeUndefined();
  });

  it('find() keeps the families apart', () => {
    expect(find('2001:db8::1', 53)).toBe('2001:db8::/32');
    expect(find('2001:db9::1', 53)).toBeUndefined();
    expect(
      new Ranges([{ network: '0.0.0.0/0', ports: [] }]).find({ address: '::1', port: 1 }),
    ).toBe(undefined);
    const six = new Ranges([{ network: '::/0', ports: [] }]);
    expect(six.find({ address: '10.1.1.1', port: 1 })).toBeUndefined();
    expect(six.find({ address: '2001:db8::1', port: 1 })?.network).toBe('::/0');
  });
});

describe('networkOf()', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3/9', '10.0.0.0/9'],
    ['10.255.2.3/9', '10.128.0.0/9'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['10.1.2.3', '10.1.2.3'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::1/33', '2001:db8::/33'],
    ['::1', '::1'],
  ])('clears what is beyond the prefix of %s', (text, network) => {
    expect(networkOf(text)).toBe(network);
  });

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '::/129',
    'fe80::1%eth0',
    '10.0.0.0/-1',
  ])('knows that %j is none', (text) => {
    expect(networkOf(text)).toBeUndefined();
  });
});

describe('rangeText()', () => {
  it('names the ports where there are some', () => {
    expect(rangeText({ network: '::/0', ports: [] })).toBe('::/0');
    expect(rangeText({ network: '10.0.0.0/8', ports: [53, 80] })).toBe('10.0.0.0/8 port 53, 80');
  });
});
