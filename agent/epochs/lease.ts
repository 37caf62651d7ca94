// The conductor's lease on NATS KV by compare-and-set (PROTOCOL 4.5). Holding it lets an agent speak;
// it makes nobody believe: a record counts by signature, evidence and term.
import { z } from 'zod';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { nodeName, sid } from '#agent/base/schema.ts';
import type { Bus } from './bus.ts';

/** The one key of its bucket. */
export const LEASE_KEY = 'conductor';
/** Terms that candidates may have taken without a record; a stored one beyond is nobody's. */
const MAX_TERM_AHEAD = 1000;

const schema = z.strictObject({
  v: z.literal(1),
  holder: z.strictObject({ node: nodeName, sid }).nullable(),
  term: z.int().min(0),
  /** Rises at each renewal, so that watchers see life without comparing clocks. */
  beat: z.int().min(0),
});

type LeaseValue = z.infer<typeof schema>;

/** The lease in `value`, or undefined when no agent wrote it. */
export const readLease = (value: unknown): LeaseValue | undefined => schema.safeParse(value).data;

export interface Held {
  readonly term: number;
}

export interface LeaseOptions {
  readonly bus: Bus;
  readonly bucket: string;
  readonly clock: Clock;
  /** Without a beat for this long, by the watcher's own monotonic clock, a lease may be taken. */
  readonly ttlMs: () => number;
}

export interface Candidate {
  readonly node: NodeName;
  readonly sid: Sid;
  /** The highest term of any verified record. */
  readonly highestTerm: number;
  /** What this node knows of the present holder: only an unknown one is given time to show itself. */
  readonly standing: (holder: NodeName) => Standing;
}

/** `out`: it failed attestation here, or left. */
export type Standing = 'member' | 'unknown' | 'out';

export interface Lease {
  /** The holder as last read, whoever it is. */
  readonly holder: { readonly node: NodeName; readonly sid: Sid } | undefined;
  /** Takes or renews the lease; undefined while somebody else holds it or the bus is away. */
  hold(candidate: Candidate): Promise<Held | undefined>;
  /** Gives the lease up at once, so that the next candidate need not wait. */
  release(self: NodeName): Promise<void>;
}

export function openLease({ bus, bucket, clock, ttlMs }: LeaseOptions): Lease {
  /** Since when the present holder has held it, as seen here. */
  let holding: { readonly node: NodeName | undefined; readonly sinceMs: number } | undefined;
  let seen: { readonly revision: number; readonly sinceMs: number } | undefined;
  let holder: LeaseValue['holder'] = null;
  /** The term under which this process holds the lease; a restart is a new term. */
  let heldTerm: number | undefined;

  const read = async (): Promise<{ value: LeaseValue; revision: number } | undefined> => {
    const stored = await bus.get(bucket, LEASE_KEY);
    if (stored === undefined) return undefined;
    // A value that makes no sense was not written by an agent: free to take, at its revision.
    const value = readLease(stored.value) ?? { v: 1, holder: null, term: 0, beat: 0 };
    if (seen?.revision !== stored.revision) {
      seen = { revision: stored.revision, sinceMs: clock.monoMs() };
    }
    holder = value.holder;
    if (holding?.node !== holder?.node) holding = { node: holder?.node, sinceMs: clock.monoMs() };
    return { value, revision: stored.revision };
  };

  return {
    get holder() {
      return holder ?? undefined;
    },
    hold: async ({ node, sid, highestTerm, standing }) => {
      if (!bus.connected) return undefined;
      const current = await read();
      const value = current?.value;
      // A restored backup may show it under a term that others have passed since: records of it are refused.
      const mine =
        value?.holder?.node === node && value.term === heldTerm && value.term >= highestTerm;
      const free =
        !value?.holder ||
        value.holder.node === node ||
        value.term < highestTerm || // of somebody who knows nothing of what has been: nobody follows it
        clock.monoMs() - (seen?.sinceMs ?? 0) > ttlMs() ||
        standing(value.holder.node) === 'out' ||
        (standing(value.holder.node) === 'unknown' &&
          clock.monoMs() - (holding?.sinceMs ?? 0) > ttlMs());
      if (!free) {
        heldTerm = undefined;
        return undefined;
      }
      const stored = value && value.term - highestTerm <= MAX_TERM_AHEAD ? value.term : 0;
      const term = mine && value ? value.term : 1 + Math.max(highestTerm, stored);
      const next: LeaseValue = { v: 1, holder: { node, sid }, term, beat: (value?.beat ?? 0) + 1 };
      const revision = await bus.swap(bucket, LEASE_KEY, next, current?.revision);
      if (revision === undefined) return undefined;
      seen = { revision, sinceMs: clock.monoMs() };
      holder = next.holder;
      heldTerm = term;
      return { term };
    },
    release: async (self) => {
      heldTerm = undefined;
      const current = await read();
      if (current?.value.holder?.node !== self) return;
      await bus.swap(bucket, LEASE_KEY, { ...current.value, holder: null }, current.revision);
    },
  };
}
