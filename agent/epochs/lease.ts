// Who conducts (PROTOCOL 4.5): the decision who may take the lease, under which term, and when it has lapsed, over
// whatever keeps it and can compare-and-set. Holding it lets an agent speak; it makes nobody believe: a record
// counts by signature, evidence and term.
import { z } from 'zod';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import { nodeName, sid } from '#agent/base/schema.ts';

/** Terms that candidates may have taken without a record; a stored one beyond is nobody's. */
const MAX_TERM_AHEAD = 1000;

const schema = z.strictObject({
  v: z.literal(1),
  holder: z.strictObject({ node: nodeName, sid }).nullable(),
  term: z.int().min(0),
  /** Rises at each renewal, so that watchers see life without comparing clocks. */
  beat: z.int().min(0),
});

export type LeaseValue = z.infer<typeof schema>;

/** The lease in `value`, or undefined when no agent wrote it. */
export const readLease = (value: unknown): LeaseValue | undefined => schema.safeParse(value).data;

/** What a store has at one moment; both undefined: nothing is there. */
export interface Stored {
  /** As it was found: who reads it judges it. */
  readonly value: unknown;
  /** The store's own name of this state, for its swap alone; it says nothing about terms. */
  readonly revision: string | undefined;
}

/** What keeps the one lease of a cluster. It decides nothing and is believed in nothing. */
export interface LeaseStore {
  readonly kept: 'bus' | 'kubernetes';
  /** False while asking it would be in vain. */
  readonly isReachable: boolean;
  /** Why the last call failed, until one succeeds. */
  readonly problem: TidelockError | undefined;
  /** Undefined: it could not be asked. */
  read(): Promise<Stored | undefined>;
  /**
   * Writes `value` if the state is still `revision`, where undefined means that nothing is there. The new revision;
   * undefined when somebody else was first or the store is away.
   */
  swap(value: LeaseValue, revision: string | undefined): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface Held {
  readonly term: number;
}

export interface LeaseOptions {
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** Without a beat for this long, by the watcher's own monotonic clock, a lease may be taken. */
  readonly ttlMs: number;
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
  readonly kept: LeaseStore['kept'];
  /** Why the store cannot be asked, until it can. */
  readonly problem: TidelockError | undefined;
  /** Takes or renews the lease; undefined while somebody else holds it or the store is away. */
  hold(candidate: Candidate): Promise<Held | undefined>;
  /** Gives the lease up at once, so that the next candidate need not wait. */
  release(self: NodeName): Promise<void>;
  close(): Promise<void>;
}

export function openLease({ store, clock, ttlMs }: LeaseOptions): Lease {
  /** The holder of which nothing is known here, and since when: a member whose evidence is being read is none for a moment. */
  let unknown: { readonly node: NodeName; readonly sinceMs: number } | undefined;
  /** The newest beat, and since when it is known here. */
  let seen: { readonly beat: string; readonly sinceMs: number } | undefined;
  let holder: LeaseValue['holder'] = null;
  /** The term under which this process holds the lease; a restart is a new term. */
  let heldTerm: number | undefined;

  const see = (value: LeaseValue): void => {
    const beat = beatOf(value);
    if (seen?.beat !== beat) seen = { beat, sinceMs: clock.monoMs() };
    holder = value.holder;
  };

  /** Whether a holder failed attestation here, or was given time in vain to show itself. */
  const isOut = (node: NodeName, standing: Standing): boolean => {
    if (standing !== 'unknown') unknown = undefined;
    else if (unknown?.node !== node) unknown = { node, sinceMs: clock.monoMs() };
    return (
      standing === 'out' || (unknown !== undefined && clock.monoMs() - unknown.sinceMs > ttlMs)
    );
  };

  const read = async (): Promise<
    { readonly value: LeaseValue | undefined; readonly revision: string | undefined } | undefined
  > => {
    const stored = await store.read();
    if (stored?.revision === undefined) return stored && { value: undefined, revision: undefined };
    // A value that makes no sense was not written by an agent: free to take, at its revision.
    const value = readLease(stored.value) ?? { v: 1, holder: null, term: 0, beat: 0 };
    see(value);
    return { value, revision: stored.revision };
  };

  return {
    kept: store.kept,
    get holder() {
      return holder ?? undefined;
    },
    get problem() {
      return store.problem;
    },
    hold: async ({ node, sid, highestTerm, standing }) => {
      if (!store.isReachable) return undefined;
      const current = await read();
      if (!current) return undefined;
      const { value } = current;
      // A restored backup may show it under a term that others have passed since: records of it are refused.
      const mine =
        value?.holder?.node === node && value.term === heldTerm && value.term >= highestTerm;
      const free =
        !value?.holder ||
        value.holder.node === node ||
        value.term < highestTerm || // of somebody who knows nothing of what has been: nobody follows it
        clock.monoMs() - (seen?.sinceMs ?? 0) > ttlMs ||
        isOut(value.holder.node, standing(value.holder.node));
      if (!free) {
        heldTerm = undefined;
        return undefined;
      }
      const stored = value && value.term - highestTerm <= MAX_TERM_AHEAD ? value.term : 0;
      const term = mine && value ? value.term : 1 + Math.max(highestTerm, stored);
      const next: LeaseValue = { v: 1, holder: { node, sid }, term, beat: (value?.beat ?? 0) + 1 };
      if ((await store.swap(next, current.revision)) === undefined) return undefined;
      see(next);
      heldTerm = term;
      return { term };
    },
    release: async (self) => {
      heldTerm = undefined;
      const current = await read();
      if (current?.value?.holder?.node !== self) return;
      await store.swap({ ...current.value, holder: null }, current.revision);
    },
    close: () => store.close(),
  };
}

/** Equal only while nobody has renewed: a store may change its revision for reasons of its own. */
const beatOf = ({ holder, term, beat }: LeaseValue): string =>
  `${holder?.node}/${holder?.sid}/${term}/${beat}`;
