// The lease on NATS KV: the one key of its bucket, by compare-and-set. It moves values; lease.ts decides.
import type { Bus } from './bus.ts';
import type { LeaseStore } from './lease.ts';

/** The one key of its bucket. */
export const LEASE_KEY = 'conductor';

/** The lease in `bucket` of `bus`, which it does not own. */
export const busLease = (bus: Bus, bucket: string): LeaseStore => ({
  kept: 'bus',
  get isReachable() {
    return bus.connected;
  },
  problem: undefined, // the bus tells its own
  read: async () => {
    const stored = await bus.get(bucket, LEASE_KEY);
    // Nothing there and no answer look alike: a swap tells them apart.
    if (stored === undefined) return { value: undefined, revision: undefined };
    return { value: stored.value, revision: String(stored.revision) };
  },
  swap: async (value, revision) => {
    const before = revision === undefined ? undefined : Number(revision);
    const after = await bus.swap(bucket, LEASE_KEY, value, before);
    return after === undefined ? undefined : String(after);
  },
  close: () => Promise.resolve(),
});
