// Rosters as they are published and read back, on a bus that anyone may have written to.
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import { Members } from './members.ts';
import { ROWS_PER_MESSAGE, type RosterRow } from './roster.ts';
import { RosterPublisher } from './rosterPublisher.ts';
import { changeKey, CHANGES_BETWEEN, indexKey, RosterSource } from './rosterSource.ts';

let stored: Map<string, Json>;
let reads: string[];
const bus = {
  get: (_bucket: string, key: string) => {
    reads.push(key);
    const value = stored.get(key);
    return Promise.resolve(value === undefined ? undefined : { value, revision: 1 });
  },
  put: (_bucket: string, key: string, value: Json) => {
    stored.set(key, value);
    return Promise.resolve(true);
  },
};
let publisher: RosterPublisher;
let reader: RosterSource;
beforeEach(() => {
  stored = new Map();
  reads = [];
  publisher = new RosterPublisher(bus, 'b');
  reader = new RosterSource(bus, 'b');
});

const row = (n: number, version = 0): RosterRow => ({
  node: `node-${n}` as NodeName,
  sid: version.toString(16).padStart(32, '0') as Sid,
  entry: version.toString(16).padStart(64, '0'),
});
const rosterOf = (count: number, version = 0): Members =>
  Members.of(Array.from({ length: count }, (_, n) => row(n, version)));

/** `count` rosters of five nodes, of which one renews from each to the next. */
const renewing = (count: number): Members[] => {
  const all = [rosterOf(5)];
  for (let v = 1; v < count; v += 1) {
    all.push((all.at(-1) ?? Members.none).changed({ put: [row(v % 5, v)], gone: [] }));
  }
  return all;
};

describe('RosterSource', () => {
  test('has every roster in turn, by one message where it had the one before', async () => {
    for (const members of renewing(40)) {
      await publisher.publish(members);
      reads = [];
      expect((await reader.load(members.digest))?.rows).toEqual(members.rows);
      if (members.digest !== rosterOf(5).digest) expect(reads).toEqual([changeKey(members.digest)]);
      reads = [];
      await reader.load(members.digest);
      expect(reads).toEqual([]);
    }
  });

  test('has any of them without having had one, by no more messages than lie between whole ones', async () => {
    const all = renewing(40);
    for (const members of all) await publisher.publish(members);
    for (const { digest, rows } of all) {
      reads = [];
      const anew = new RosterSource(bus, 'b');
      expect((await anew.load(digest))?.rows).toEqual(rows);
      expect(reads.length).toBeLessThanOrEqual(CHANGES_BETWEEN + 2);
    }
  });

  test('has one that takes several messages', async () => {
    for (const count of [ROWS_PER_MESSAGE - 1, ROWS_PER_MESSAGE, 2 * ROWS_PER_MESSAGE + 1]) {
      const members = rosterOf(count, count);
      await publisher.publish(members);
      expect((await new RosterSource(bus, 'b').load(members.digest))?.rows).toHaveLength(count);
    }
  });

  test('goes from any roster to any other, whatever came and went', async () => {
    const rosters = fc.array(
      fc
        .uniqueArray(fc.tuple(fc.nat(12), fc.nat(3)), { selector: ([n]) => n })
        .map((rows) => Members.of(rows.map(([n, version]) => row(n, version)))),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(rosters, async (all) => {
        stored.clear();
        const [says, hears] = [new RosterPublisher(bus, 'b'), new RosterSource(bus, 'b')];
        for (const members of all) {
          await says.publish(members);
          expect((await hears.load(members.digest))?.rows).toEqual(members.rows);
        }
      }),
    );
  });

  test('takes nothing that does not hash to the digest, and keeps what it had', async () => {
    const [first, second] = [rosterOf(5), rosterOf(5, 1)];
    await publisher.publish(first);
    await reader.load(first.digest);
    await publisher.publish(second);
    const change = stored.get(changeKey(second.digest)) as { put: Json[] };
    for (const junk of [
      null,
      'x',
      {},
      { ...change, put: change.put.slice(1) },
      { ...change, v: 2 },
    ]) {
      stored.set(changeKey(second.digest), junk);
      expect(await reader.load(second.digest)).toBeUndefined();
    }
    stored.set(indexKey(first.digest, 0), [row(1), row(1)]);
    expect(await new RosterSource(bus, 'b').load(first.digest)).toBeUndefined();
    expect(await reader.load(first.digest)).toBeDefined();
  });

  test('walks in no circle', async () => {
    const [a, b] = [rosterOf(5).digest, rosterOf(5, 1).digest];
    stored.set(changeKey(a), { v: 1, from: b, whole: false, put: [], gone: [] });
    stored.set(changeKey(b), { v: 1, from: a, whole: false, put: [], gone: [] });
    expect(await reader.load(a)).toBeUndefined();
    expect(reads.length).toBeLessThanOrEqual(CHANGES_BETWEEN + 1);
  });
});

describe('RosterPublisher', () => {
  test('knows whether a bus has lost it, and puts all of it there again', async () => {
    const members = rosterOf(5);
    await publisher.publish(members);
    expect(await publisher.isThere()).toBe(true);
    stored.clear();
    expect(await publisher.isThere()).toBe(false);
    publisher.forget();
    await publisher.publish(members);
    expect(await reader.load(members.digest)).toBeDefined();
  });
});
