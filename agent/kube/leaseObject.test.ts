// Tests of the lease as a Kubernetes object: there and back, and whatever else an object may be.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { readLease, type LeaseValue } from '#agent/epochs/lease.ts';
import { leaseObject, readLeaseObject, storedIn } from './leaseObject.ts';

const LEASE = { namespace: 'tidelock', name: 'tidelock-prod-conductor' };
const NOW_MS = Date.UTC(2026, 5, 1, 12, 0, 0, 7);
const A: LeaseValue = {
  v: 1,
  holder: { node: 'node-a' as NodeName, sid: 'a'.repeat(32) as Sid },
  term: 7,
  beat: 41,
};

/** As the API server gives back what was written. */
const kept = (object: unknown, resourceVersion = '1001') => {
  const { metadata, ...rest } = JSON.parse(JSON.stringify(object)) as { metadata: object };
  return readLeaseObject({ ...rest, metadata: { ...metadata, uid: 'u', resourceVersion } }, LEASE);
};

describe('leaseObject()', () => {
  it('leaseObject() says for people who holds it since when, and for agents what counts', () => {
    const first = leaseObject(A, LEASE, undefined, { ttlMs: 30_000, nowMs: NOW_MS });
    expect(JSON.parse(JSON.stringify(first))).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...LEASE,
        labels: { 'app.kubernetes.io/part-of': 'tidelock' },
        annotations: {
          'tidelock.io/term': '7',
          'tidelock.io/beat': '41',
          'tidelock.io/sid': 'a'.repeat(32),
        },
      },
      spec: {
        holderIdentity: 'node-a',
        leaseDurationSeconds: 30,
        acquireTime: '2026-06-01T12:00:00.007000Z',
        renewTime: '2026-06-01T12:00:00.007000Z',
        leaseTransitions: 0,
      },
    });
  });

  it('leaseObject() keeps since when, as long as the holder is the same process', () => {
    const times = { ttlMs: 30_000, nowMs: NOW_MS };
    const first = kept(leaseObject(A, LEASE, undefined, times));
    const later = { ttlMs: 30_000, nowMs: NOW_MS + 5_000 };
    const { metadata, spec } = leaseObject({ ...A, beat: 42 }, LEASE, first, later);
    expect(metadata).toMatchObject({ uid: 'u', resourceVersion: '1001' });
    expect(spec?.acquireTime?.getTime()).toBe(NOW_MS);
    expect(spec?.renewTime?.getTime()).toBe(NOW_MS + 5_000);
    const holder = { node: 'node-a' as NodeName, sid: 'b'.repeat(32) as Sid };
    const restarted = leaseObject({ ...A, holder }, LEASE, first, later);
    expect(restarted.spec?.acquireTime?.getTime()).toBe(NOW_MS + 5_000);
    expect(restarted.spec?.leaseTransitions, 'the same node').toBe(0);
  });

  it('leaseObject() and storedIn() are each other’s inverse for every lease', () => {
    const sid = fc.stringMatching(/^[0-9a-f]{32}$/) as fc.Arbitrary<Sid>;
    const node = fc.stringMatching(
      /^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/,
    ) as fc.Arbitrary<NodeName>;
    const value = fc.record({
      v: fc.constant(1 as const),
      holder: fc.option(fc.record({ node, sid })),
      term: fc.maxSafeNat(),
      beat: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(value, value, (before, after) => {
        const times = { ttlMs: 1, nowMs: NOW_MS };
        const first = kept(leaseObject(before, LEASE, undefined, times));
        expect(storedIn(first)).toEqual({ value: before, revision: '1001' });
        const next = kept(leaseObject(after, LEASE, first, times), '1002');
        expect(readLease(storedIn(next).value)).toEqual(after);
      }),
    );
  });

  it('readLeaseObject() and storedIn() live through everything that is JSON', () => {
    const leaf = fc.oneof(fc.jsonValue(), fc.constant('7'), fc.constant('a'.repeat(32)));
    const object = fc.record(
      {
        metadata: fc.record(
          {
            name: fc.constantFrom(LEASE.name, LEASE.name, 'other'),
            uid: fc.constantFrom('u', 'u', '', 7),
            resourceVersion: fc.constantFrom('1', '1', '', 7),
            annotations: fc.oneof(leaf, fc.dictionary(fc.constantFrom(...ANNOTATIONS), leaf)),
            labels: leaf,
          },
          { requiredKeys: [] },
        ),
        spec: fc.oneof(
          leaf,
          fc.record({ holderIdentity: leaf, acquireTime: leaf, leaseTransitions: leaf }),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(object, fc.jsonValue()), (answer) => {
        let lease;
        try {
          lease = readLeaseObject(answer, LEASE);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(RangeError);
          return;
        }
        const stored = storedIn(lease);
        expect(stored.revision).not.toBe('');
        const value = readLease(stored.value) ?? A;
        const next = leaseObject(value, LEASE, lease, { ttlMs: 1, nowMs: NOW_MS });
        expect(() => JSON.stringify(next)).not.toThrow();
        expect(readLease(storedIn(kept(next)).value)).toEqual(value);
      }),
      { numRuns: 2000 },
    );
  });
});

const ANNOTATIONS = ['tidelock.io/term', 'tidelock.io/sid', 'tidelock.io/beat', 'other'] as const;
