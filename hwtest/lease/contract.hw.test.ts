// What the conductor's lease promises, whoever keeps it: the same course of events over NATS KV on a real nats-server
// and over a Lease at the stand-in API server.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import { openLease, type Lease } from '#agent/epochs/lease.ts';
import {
  placesInKubernetes,
  placesOnBus,
  TTL_MS,
  type Place,
  type Places,
} from './places.fixture.ts';

const A = { node: 'node-a' as NodeName, sid: 'a'.repeat(32) as Sid };
const B = { node: 'node-b' as NodeName, sid: 'b'.repeat(32) as Sid };
const every = { highestTerm: 4, standing: () => 'member' as const };
let monoMs = 0;
const clock: Clock = { ...systemClock, monoMs: () => monoMs };

describe.each([
  ['on the bus', 'bus', placesOnBus],
  ['in Kubernetes (stand-in API server)', 'kubernetes', placesInKubernetes],
] as const)('openLease() %s', (_, kept, openPlaces) => {
  let places: Places;
  let place: Place;
  let a: Lease;
  let b: Lease;
  const lease = async (): Promise<Lease> =>
    openLease({ store: await place.open(clock), clock, ttlMs: TTL_MS });

  beforeAll(async () => {
    places = await openPlaces();
  });
  afterAll(() => places[Symbol.asyncDispose]());
  beforeEach(async () => {
    place = await places.fresh();
    [a, b] = [await lease(), await lease()];
  });

  test('gives one candidate a term above every record, and keeps it while it renews', async () => {
    expect(a.kept).toBe(kept);
    expect(await a.hold({ ...A, ...every })).toEqual({ term: 5 });
    expect(await b.hold({ ...B, ...every })).toBeUndefined();
    monoMs += 900;
    expect(await a.hold({ ...A, ...every })).toEqual({ term: 5 });
    expect(await b.hold({ ...B, ...every })).toBeUndefined();
    monoMs += 900;
    expect(await b.hold({ ...B, ...every }), 'the beat was seen').toBeUndefined();
    expect(b.holder).toEqual(A);
  });

  test('lets another take it, with a higher term, once no beat is seen', async () => {
    await a.hold({ ...A, ...every });
    await b.hold({ ...B, ...every });
    monoMs += TTL_MS;
    expect(await b.hold({ ...B, ...every }), 'not a moment sooner').toBeUndefined();
    monoMs += 1;
    expect(await b.hold({ ...B, ...every })).toEqual({ term: 6 });
    expect(await a.hold({ ...A, ...every })).toBeUndefined();
    expect(a.holder).toEqual(B);
  });

  test('takes a touch by somebody else for no beat', async () => {
    await a.hold({ ...A, ...every });
    await b.hold({ ...B, ...every });
    monoMs += 900;
    await place.restore(await place.backup());
    expect(await b.hold({ ...B, ...every })).toBeUndefined();
    monoMs += 101;
    expect(await b.hold({ ...B, ...every })).toEqual({ term: 6 });
  });

  test('is held under a new term once records of a higher one are known', async () => {
    await a.hold({ ...A, ...every });
    expect(await a.hold({ ...A, ...every, highestTerm: 9 })).toEqual({ term: 10 });
    expect(await a.hold({ ...A, ...every, highestTerm: 10 })).toEqual({ term: 10 });
  });

  test('passes at once when it is released, or when its holder is not acceptable', async () => {
    await a.hold({ ...A, ...every });
    expect(await b.hold({ ...B, ...every, standing: () => 'out' })).toEqual({ term: 6 });
    await a.release(A.node);
    expect(await b.hold({ ...B, ...every }), 'only its holder can').toEqual({ term: 6 });
    await b.release(B.node);
    expect(b.holder, 'as last read').toEqual(B);
    expect(await a.hold({ ...A, ...every })).toEqual({ term: 7 });
  });

  test('passes from a holder that nobody knows, after it had time to show itself', async () => {
    const unknown = { ...every, standing: () => 'unknown' as const };
    await a.hold({ ...A, ...every });
    expect(await b.hold({ ...B, ...unknown })).toBeUndefined();
    monoMs += 900;
    await a.hold({ ...A, ...every });
    expect(await b.hold({ ...B, ...unknown })).toBeUndefined();
    monoMs += 900;
    await a.hold({ ...A, ...every });
    expect(await b.hold({ ...B, ...unknown })).toEqual({ term: 6 });
  });

  test('stays with a holder that is unknown for a moment, however long it has held it', async () => {
    for (let beats = 0; beats < 4; beats += 1) {
      await a.hold({ ...A, ...every });
      expect(await b.hold({ ...B, ...every })).toBeUndefined();
      monoMs += 900;
    }
    await a.hold({ ...A, ...every });
    expect(await b.hold({ ...B, ...every, standing: () => 'unknown' })).toBeUndefined();
  });

  test('is a new term for a process that was started anew', async () => {
    await a.hold({ ...A, ...every });
    const again = await lease();
    expect(await again.hold({ ...A, ...every })).toEqual({ term: 6 });
  });

  test('takes what no agent wrote for free, and no term from it', async () => {
    expect(place.garbage.length).toBeGreaterThan(8);
    for (const garbage of place.garbage) {
      await place.put(garbage);
      const fresh = await lease();
      expect(await fresh.hold({ ...A, ...every }), JSON.stringify(garbage)).toEqual({ term: 5 });
      expect(await fresh.hold({ ...A, ...every }), JSON.stringify(garbage)).toEqual({ term: 5 });
      await fresh.close();
    }
  });

  test('is taken by one of two, whoever is faster', async () => {
    for (let round = 0; round < 20; round += 1) {
      const tries = await Promise.all([a.hold({ ...A, ...every }), b.hold({ ...B, ...every })]);
      expect(tries.filter(Boolean), `round ${round}`).toHaveLength(1);
      const again = await Promise.all([a.hold({ ...A, ...every }), b.hold({ ...B, ...every })]);
      expect(again, 'and stays with him').toEqual(tries);
      await (tries[0] ? a.release(A.node) : b.release(B.node));
    }
  });

  test('gives no term twice and none that is lower, also when an old state is put back', async () => {
    const terms: number[] = [];
    let highestTerm = 0;
    const take = async (of: Lease, who: typeof A): Promise<void> => {
      const held = await of.hold({ ...who, highestTerm, standing: () => 'member' });
      if (!held) return;
      if (held.term !== terms.at(-1)) terms.push(held.term);
      highestTerm = Math.max(highestTerm, held.term); // a record of it was seen by all
    };
    await take(a, A);
    const early = await place.backup();
    for (let n = 0; n < 3; n += 1) {
      monoMs += TTL_MS + 1;
      await take(b, B);
      await b.release(B.node);
      await take(a, A);
    }
    const before = terms.length;
    await place.restore(early);
    await take(a, A);
    await take(b, B);
    monoMs += TTL_MS + 1;
    await take(b, B);
    await place.restore(early);
    await take(b, B);
    monoMs += TTL_MS + 1;
    await take(b, B);
    expect(terms.length).toBeGreaterThan(before + 1);
    expect(terms).toEqual(terms.toSorted((x, y) => x - y));
    expect(new Set(terms).size).toBe(terms.length);
  });

  test('a store refuses a swap from a state that is no more', async () => {
    const [one, other] = [await place.open(clock), await place.open(clock)];
    const value = (beat: number) => ({ v: 1, holder: A, term: 5, beat }) as const;
    const made = await one.swap(value(1), undefined);
    expect(made).toBeDefined();
    expect(await other.swap(value(2), undefined), 'it is there already').toBeUndefined();
    const read = await other.read();
    expect(read).toEqual({ value: value(1), revision: made });
    const next = await other.swap(value(2), read?.revision);
    expect(next).toBeDefined();
    expect(await one.swap(value(3), made), 'it was changed since').toBeUndefined();
    expect(await one.read()).toEqual({ value: value(2), revision: next });
    expect([one.isReachable, one.problem]).toEqual([true, undefined]);
  });
});
