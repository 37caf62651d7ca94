// Tests of where the lease is kept by configuration, and of what RBAC has to name.
import { describe, expect, it } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import type { Bus } from '#agent/epochs/bus.ts';
import { keptLog } from '#agent/epochs/records.fixture.ts';
import { leaseNameOf, leaseOf } from './leaseOf.ts';

const ends = {
  bus: { connected: false } as Bus,
  clock: systemClock,
  random: Math.random,
  log: keptLog().log,
};
const config = (lease: 'bus' | 'kubernetes', kubernetes = {}) => ({
  cluster: 'prod',
  kubernetes,
  epochs: { periodMs: 10_000, lease },
});

describe('leaseOf()', () => {
  it.each(['bus', 'kubernetes'] as const)(
    'leaseOf() opens the one that is configured: %s',
    async (kept) => {
      const lease = await leaseOf(config(kept), ends);
      expect(lease).toMatchObject({ kept, holder: undefined, problem: undefined });
      await lease.close();
    },
  );

  it('leaseNameOf() has the cluster in the name, and a namespace also outside of a pod', () => {
    expect(leaseNameOf(config('kubernetes'))).toEqual({
      namespace: 'tidelock',
      name: 'tidelock-prod-conductor',
    });
    expect(leaseNameOf(config('kubernetes', { namespace: 'mesh' })).namespace).toBe('mesh');
  });
});
