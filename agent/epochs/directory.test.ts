import { expect, test } from 'vitest';
import type { NodeName, Sid, SpiffeId } from '#agent/base/brands.ts';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { contestedAddresses, contestedUids, openDirectory, signDirectory } from './directory.ts';

const node = (name: string, ...ips: string[]) => ({
  node: name as NodeName,
  pods: ips.map((ip) => ({
    uid: `${name}-${ip}`,
    ips: [ip],
    spiffeId: 'spiffe://example.org/c/n/a' as SpiffeId,
    ports: [],
  })),
});

test('contestedAddresses() names every address that two nodes claim, and no other', () => {
  const found = contestedAddresses([
    node('a', '198.19.1.1', '198.19.1.2'),
    node('b', '198.19.1.2'),
    node('c', '198.19.1.3', '198.19.1.3'),
  ]);
  expect([...found]).toEqual([['198.19.1.2', ['a', 'b']]]);
});

test('contestedAddresses() knows an address in whatever form it is written', () => {
  const found = contestedAddresses([node('a', 'fd00::5'), node('b', 'FD00:0::5')]);
  expect([...found]).toEqual([['fd00::5', ['a', 'b']]]);
});

test('contestedUids() names every uid that two nodes claim, and no other', () => {
  const { pods } = node('a', '198.19.1.1');
  const found = contestedUids([node('a', '198.19.1.1'), { node: 'b' as NodeName, pods }]);
  expect([...found]).toEqual([['a-198.19.1.1', ['a', 'b']]]);
  expect([...contestedUids([node('a', '198.19.1.1'), node('b', '198.19.1.1')])]).toEqual([]);
});

const key = generateSigningKey();
const opened = (ip: string, laneAddress = '198.18.0.12') => {
  const sid = '0'.repeat(32) as Sid;
  const lane = { address: laneAddress, port: 15_008 };
  const said = { v: 1 as const, sid, seq: 1, lane, ...node('b', ip) };
  return openDirectory(signDirectory(said, key), key.public);
};

test('openDirectory() writes addresses in their one form', () => {
  expect(opened('FD00::00AA').pods[0]?.ips).toEqual(['fd00::aa']);
  expect(opened('10.0.0.1', 'FD00::00AA').lane.address).toBe('fd00::aa');
});

test.each(['127.0.0.1', '::1', '0.0.0.0', '224.0.0.1', 'fe80::1', '::ffff:10.0.0.1', 'x'])(
  'openDirectory() refuses a node that announces %s, for a pod or its lanes',
  (ip) => {
    expect(() => opened(ip)).toThrow(/pods\.0\.ips\.0: must be the address of one host/);
    expect(() => opened('10.0.0.1', ip)).toThrow(/lane\.address/);
  },
);
