import { describe, expect, it } from 'vitest';
import type { NodeName, Sid, SpiffeId } from '#agent/base/brands.ts';
import { Bounds, type BoundsSources } from './bounds.ts';

const spiffeId = 'spiffe://example.org/c/shop/db' as SpiffeId;
const pod = (uid: string, ...ips: string[]) => ({ uid, ips, spiffeId, ports: [] });
const announcing = (node: string, ...pods: ReturnType<typeof pod>[]) => ({
  node: node as NodeName,
  directory: {
    v: 1 as const,
    node: node as NodeName,
    sid: '0'.repeat(32) as Sid,
    seq: 1,
    lane: { address: '198.18.0.12', port: 15_008 },
    pods,
  },
});

const boundsOf = (lanes: Partial<BoundsSources['config']['lanes']> = {}) =>
  new Bounds({
    config: { lanes: { address: '198.18.0.11', podNetworks: [], unmeshedExcept: [], ...lanes } },
    inventory: {
      pods: () => [pod('web', '10.0.0.1')],
      services: () => [{ ips: ['10.96.0.20'] }],
    },
  });
const believes = (bounds: Bounds, ip: string) => bounds.believed([pod('db', ip)])[0]?.ips[0] === ip;

describe('Bounds', () => {
  it('believed() leaves out what this node knows better: its pods, services and lane address', () => {
    const ips = ['10.0.0.1', '10.96.0.20', '198.18.0.11', '10.0.1.1', 'fd00::1'];
    expect(boundsOf().believed([pod('db', ...ips)])).toEqual([pod('db', '10.0.1.1', 'fd00::1')]);
    expect(boundsOf().believed([pod('web', '10.0.1.1')])).toEqual([]);
  });

  it('believed() leaves out what lies in no network of pods, where these are configured', () => {
    const bounds = boundsOf({ podNetworks: ['10.0.0.0/16', 'fd00::/64'] });
    expect(believes(bounds, '10.0.255.255')).toBe(true);
    expect(believes(bounds, 'fd00::1')).toBe(true);
    expect(believes(bounds, '10.1.0.0')).toBe(false);
    expect(believes(bounds, '2001:db8::1')).toBe(false);
    expect(believes(boundsOf({ podNetworks: ['::/0'] }), '10.0.1.1')).toBe(false);
  });

  it('believed() leaves out hosts that unmeshedExcept names, not the networks that it does', () => {
    const unmeshedExcept = ['10.0.1.1', '10.0.1.2/32', 'FD00::1/128', '10.0.2.0/24', 'fd00:1::/32'];
    const bounds = boundsOf({
      unmeshedExcept: unmeshedExcept.map((network) => ({ network, ports: [443] })),
    });
    for (const ip of ['10.0.1.1', '10.0.1.2', 'fd00::1']) expect(believes(bounds, ip)).toBe(false);
    for (const ip of ['10.0.1.3', '10.0.2.1', 'fd00:1::1']) expect(believes(bounds, ip)).toBe(true);
  });

  it('findings() names the node and why, once for each reason', () => {
    const liar = announcing('b', pod('web', '10.0.0.1'), pod('x', '10.1.0.1', '10.1.0.2'));
    const honest = announcing('c', pod('db', '10.0.1.1'));
    expect(boundsOf({ podNetworks: ['10.0.0.0/16'] }).findings([liar, honest])).toEqual([
      'b announces uid web and 1 more, which a pod of this node has: not believed.',
      'b announces 10.1.0.1 and 1 more, which lanes.podNetworks does not hold: not believed.',
    ]);
  });
});
