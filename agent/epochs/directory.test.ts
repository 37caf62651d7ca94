import { expect, test } from 'vitest';
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import { contested } from './directory.ts';

const node = (name: string, ...ips: string[]) => ({
  node: name as NodeName,
  pods: ips.map((ip) => ({
    uid: `${name}-${ip}`,
    ips: [ip],
    spiffeId: 'spiffe://example.org/c/n/a' as SpiffeId,
    ports: [],
  })),
});

test('contested() names every address that two nodes claim, and no other', () => {
  const found = contested([
    node('a', '198.19.1.1', '198.19.1.2'),
    node('b', '198.19.1.2'),
    node('c', '198.19.1.3', '198.19.1.3'),
  ]);
  expect([...found]).toEqual([['198.19.1.2', ['a', 'b']]]);
});
