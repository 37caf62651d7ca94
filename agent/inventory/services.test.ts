import { describe, expect, it } from 'vitest';
import type { SpiffeId } from '#agent/base/brands.ts';
import { resolved, type EndpointPod, type ServiceSpec } from './services.ts';

const DB = 'spiffe://example.org/c/shop/db' as SpiffeId;
const pods: readonly EndpointPod[] = [
  { uid: 'db-0', spiffeId: DB, ips: ['10.0.0.1', 'fd00::1'] },
  { uid: 'db-1', spiffeId: DB, ips: ['10.0.1.1'] },
  { uid: 'web-0', spiffeId: 'spiffe://example.org/c/shop/web' as SpiffeId, ips: ['10.0.0.2'] },
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
const addresses = (part: Partial<ServiceSpec>) =>
  resolved([spec(part)], pods).map(({ ports }) =>
    ports.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)),
  );

describe('resolved()', () => {
  it('finds endpoints by address, uid and SPIFFE ID, each address once', () => {
    expect(addresses({ endpoints: [{ address: '192.0.2.1', ready: true }] })).toEqual([
      ['192.0.2.1'],
    ]);
    expect(addresses({ endpoints: [{ uid: 'web-0', ready: true }] })).toEqual([['10.0.0.2']]);
    const all = [
      { spiffe: DB, ready: true },
      { uid: 'db-1', ready: true },
    ];
    expect(addresses({ endpoints: all })).toEqual([['10.0.0.1', '10.0.1.1']]);
  });

  it('leaves out what is not ready and what is not known', () => {
    const endpoints = [
      { uid: 'db-0', ready: false },
      { uid: 'gone', ready: true },
    ];
    expect(addresses({ endpoints })).toEqual([[]]);
  });

  it('keeps to the family of the address asked for, where there is an endpoint of it', () => {
    const endpoints = [{ spiffe: DB, ready: true }];
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
