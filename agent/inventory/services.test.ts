import { describe, expect, it } from 'vitest';
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import { resolved, type EndpointPod, type ServiceSpec } from './services.ts';

const DB = 'spiffe://example.org/c/shop/db' as SpiffeId;
const [A, B, C] = ['a', 'b', 'c'] as NodeName[] as [NodeName, NodeName, NodeName];
const pods: readonly EndpointPod[] = [
  { node: A, uid: 'db-0', spiffeId: DB, ips: ['10.0.0.1', 'fd00::1'] },
  { node: B, uid: 'db-1', spiffeId: DB, ips: ['10.0.1.1'] },
  {
    node: A,
    uid: 'web-0',
    spiffeId: 'spiffe://example.org/c/shop/web' as SpiffeId,
    ips: ['10.0.0.2'],
  },
];
const spec = (part: Partial<ServiceSpec>): ServiceSpec => ({
  namespace: 'shop',
  name: 'db',
  ips: ['10.96.0.10'],
  affinity: 'None',
  ports: [{ port: 5432, targetPort: 15_432 }],
  endpoints: [],
  ...part,
});
const addresses = (part: Partial<ServiceSpec>, known = pods) =>
  resolved([spec(part)], known).map(({ ports }) =>
    ports.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)),
  );

describe('resolved()', () => {
  it('finds endpoints by address, uid and SPIFFE ID, each address once', () => {
    expect(addresses({ endpoints: [{ address: '192.0.2.1', ready: true }] })).toEqual([
      ['192.0.2.1'],
    ]);
    expect(addresses({ endpoints: [{ uid: 'web-0', ready: true }] })).toEqual([['10.0.0.2']]);
    const all = [
      { spiffe: DB, nodes: [A, B], ready: true },
      { uid: 'db-1', ready: true },
    ];
    expect(addresses({ endpoints: all })).toEqual([['10.0.0.1', '10.0.1.1']]);
  });

  it('takes an identity only from the nodes that it is stated to be on', () => {
    const liar = [...pods, { node: C, uid: 'db-9', spiffeId: DB, ips: ['10.66.0.1'] }];
    const endpoints = [{ spiffe: DB, nodes: [A, B], ready: true }];
    expect(addresses({ endpoints }, liar)).toEqual([['10.0.0.1', '10.0.1.1']]);
    const onB = [{ spiffe: DB, nodes: [B], ready: true }];
    expect(addresses({ endpoints: onB }, liar)).toEqual([['10.0.1.1']]);
  });

  it('takes a uid that two nodes claim for nobody’s', () => {
    const liar = [...pods, { node: C, uid: 'db-1', spiffeId: DB, ips: ['10.66.0.1'] }];
    expect(addresses({ endpoints: [{ uid: 'db-1', ready: true }] }, liar)).toEqual([[]]);
  });

  it('leaves out what is not ready and what is not known', () => {
    const endpoints = [
      { uid: 'db-0', ready: false },
      { uid: 'gone', ready: true },
    ];
    expect(addresses({ endpoints })).toEqual([[]]);
  });

  it('keeps to the family of the address asked for, where there is an endpoint of it', () => {
    const endpoints = [{ spiffe: DB, nodes: [A, B], ready: true }];
    expect(addresses({ ips: ['10.96.0.10', 'fd00::a'], endpoints })).toEqual([
      ['10.0.0.1', '10.0.1.1'],
      ['fd00::1'],
    ]);
    const web = [{ uid: 'web-0', ready: true }];
    expect(addresses({ ips: ['fd00::a'], endpoints: web })).toEqual([['10.0.0.2']]);
  });

  it('names the service and leads to the target port', () => {
    const endpoints = [{ uid: 'db-1', ready: true }];
    expect(resolved([spec({ endpoints, affinity: 'ClientIP' })], pods)).toEqual([
      {
        name: 'shop/db',
        ips: ['10.96.0.10'],
        isSticky: true,
        ports: [{ port: 5432, endpoints: [{ address: '10.0.1.1', port: 15_432 }] }],
      },
    ]);
  });
});
