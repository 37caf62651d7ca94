import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slotAt, type NodeName, type Sid, type Slot } from '#agent/base/brands.ts';
import { b64url, hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { chainIdOf, rootCommit } from '#proxy/chips/chain.ts';
import { ChainKeeper } from './keeper.ts';
import type { EpochRecord } from './record.ts';

const PERIOD = 5000;
const START = 1_000_000 * PERIOD;
const A = 'node-a' as NodeName;
const SID = 'a'.repeat(32) as Sid;
const ROOT = sha256(utf8('root'));

let counter = 0;
function record(over: Partial<EpochRecord>): EpochRecord {
  const hash = sha256(utf8(`record ${(counter += 1)}`));
  return {
    v: 1,
    domain: 'example.org',
    cluster: 'c',
    term: 1,
    generation: 1,
    kind: 'epoch',
    epoch: 1,
    parent: null,
    atSlot: slotAt(START, PERIOD),
    periodMs: PERIOD,
    beacon: b64url(sha256(utf8(`beacon ${counter}`))),
    algorithm: 1,
    rosterDigest: '0'.repeat(64),
    prev: null,
    conductor: { node: A, sid: SID },
    hash: hex(hash),
    chainId: chainIdOf(hash),
    document: { v: 1, kind: 'epoch-record', payload: {}, signatures: [] },
    ...over,
  };
}

const genesis = (over: Partial<EpochRecord> = {}): EpochRecord =>
  record({ kind: 'heal', rootCommit: hex(rootCommit(ROOT)), ...over });

function begun(keeper: ChainKeeper, over: Partial<EpochRecord> = {}): EpochRecord {
  const first = genesis(over);
  keeper.accept(first);
  keeper.giveRoot(first.hash, ROOT);
  return first;
}

const keeperOf = (maxStalenessMs = 60_000): ChainKeeper => new ChainKeeper({ maxStalenessMs });
const at = (slots: number): number => START + slots * PERIOD;

describe('ChainKeeper.giveRoot()', () => {
  test('refuses a root other than the committed one, and keeps waiting for it', () => {
    const keeper = keeperOf();
    const first = genesis();
    expect(keeper.accept(first)).toBe('needs-root');
    expect(keeper.giveRoot(first.hash, sha256(ROOT))).toBe(false);
    expect(keeper.chains()).toHaveLength(0);
    expect(keeper.giveRoot(first.hash, ROOT)).toBe(true);
    expect(keeper.chains().map((chain) => chain.id)).toEqual([first.chainId]);
  });
});

describe('ChainKeeper.accept()', () => {
  test('gives two members the same keys whenever each of them ticked or heard of the record', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }),
        fc.integer({ min: 0, max: 3 }),
        (steps, lag) => {
          const [early, late] = [keeperOf(1e9), keeperOf(1e9)];
          let parent = begun(early);
          late.accept(parent);
          late.giveRoot(parent.hash, ROOT);
          let slots = 0;
          for (const step of steps) {
            const next = record({
              epoch: parent.epoch + 1,
              parent: parent.chainId,
              atSlot: slotAt(at(slots + 4), PERIOD),
            });
            early.accept(next);
            slots += step;
            early.advance(at(slots));
            late.advance(at(slots - Math.min(lag, step)));
            late.accept(next);
            parent = next;
          }
          early.advance(at(slots + 5));
          late.advance(at(slots + 5));
          const keys = (keeper: ChainKeeper): string[] =>
            keeper.live().map((c) => `${c.id} ${c.slot} ${hex(c.key)}`);
          expect(keys(late)).toEqual(keys(early));
        },
      ),
    );
  });

  test('holds 1,024 chains at most: the oldest in the one order goes, and its key', () => {
    const keeper = keeperOf();
    let parent = begun(keeper);
    const first = keeper.get(parent.chainId)?.key;
    for (let epoch = 2; epoch <= 1_500; epoch += 1) {
      parent = record({ epoch, parent: parent.chainId });
      keeper.accept(parent);
    }
    const epochs = keeper.chains().map(({ epoch }) => epoch);
    expect(epochs).toHaveLength(1_024);
    expect([epochs[0], epochs.at(-1)]).toEqual([1_500, 1_500 - 1_023]);
    expect(first?.every((byte) => byte === 0)).toBe(true);
  });

  test('says when the parent was missed, and derives once it is there', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    const second = record({ epoch: 2, parent: first.chainId, atSlot: slotAt(at(3), PERIOD) });
    const third = record({ epoch: 3, parent: second.chainId, atSlot: slotAt(at(4), PERIOD) });
    expect(keeper.accept(third)).toBe('needs-parent');
    expect(keeper.accept(second)).toBe('applied');
    expect(keeper.accept(third)).toBe('applied');
    expect(keeper.accept(third)).toBe('known');
  });
});

describe('ChainKeeper.advance()', () => {
  test('leaves nothing from which a slot before t-1 can be computed', () => {
    const keeper = keeperOf();
    begun(keeper);
    const before = Buffer.from(keeper.live()[0]?.key ?? []);
    const held = keeper.chains()[0]?.key;
    keeper.advance(at(5));
    expect(keeper.live()[0]?.slot).toBe(slotAt(at(4), PERIOD));
    expect(held?.every((byte) => byte === 0)).toBe(true);
    expect(keeper.live()[0]?.key).not.toEqual(before);
  });

  test('drops a superseded chain only after maxStaleness', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    const second = record({ epoch: 2, parent: first.chainId, atSlot: slotAt(at(3), PERIOD) });
    keeper.accept(second);
    keeper.advance(at(3));
    keeper.advance(at(3) + 60_000);
    expect(keeper.get(first.chainId)).toBeDefined();
    keeper.advance(at(3) + 60_001);
    expect(keeper.get(first.chainId)).toBeUndefined();
    expect(keeper.get(second.chainId)).toBeDefined();
  });

  test('drops it then on every node, whenever that heard of the newer one', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    keeper.advance(at(3) + 59_000);
    const second = record({
      epoch: 2,
      parent: first.chainId,
      atSlot: slotAt(at(3) + 59_000, PERIOD),
    });
    const missed = begun(keeper, { generation: 2, epoch: 2, atSlot: slotAt(at(3), PERIOD) });
    keeper.accept(second);
    keeper.advance(at(3) + 60_000);
    expect(keeper.get(first.chainId)).toBeDefined();
    keeper.advance(at(3) + 60_001);
    expect(keeper.get(first.chainId)).toBeUndefined();
    expect(keeper.get(missed.chainId)).toBeDefined();
  });

  test('keeps ticking the newest chain however long the bus is away', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    keeper.advance(at(10_000));
    expect(keeper.get(first.chainId)?.slot).toBe(slotAt(at(9_999), PERIOD));
  });

  test('drops every older generation three slots after a revocation takes effect', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    const revoke = begun(keeper, {
      kind: 'revoke',
      generation: 2,
      epoch: 2,
      atSlot: slotAt(at(3), PERIOD),
    });
    keeper.advance(at(5));
    expect(keeper.get(first.chainId)).toBeDefined();
    keeper.advance(at(6));
    expect(keeper.get(first.chainId)).toBeUndefined();
    expect(keeper.get(revoke.chainId)).toBeDefined();
  });
});

describe('ChainKeeper.sendable()', () => {
  test('ends two slots before a holder may drop, however late the newer record came', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    const lastMs = at(0) + 60_000 - 2 * PERIOD;
    expect(keeper.sendable(at(-1))).toEqual([]);
    for (const nowMs of [at(0), lastMs])
      expect(keeper.sendable(nowMs).map(({ id }) => id)).toEqual([first.chainId]);
    expect(keeper.sendable(lastMs + 1)).toEqual([]);
    expect(keeper.inEffect(lastMs + 1)).toHaveLength(1);
  });

  test('whatever an end may send with, the other holds, whenever each heard of the newer ones', () => {
    const slots = fc.integer({ min: 1, max: 30 });
    const heard = fc.tuple(slots, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 }));
    fc.assert(
      fc.property(fc.array(heard, { maxLength: 6 }), (newer) => {
        const ends = [keeperOf(), keeperOf()];
        const first = genesis();
        for (const keeper of ends) {
          keeper.accept(first);
          keeper.giveRoot(first.hash, ROOT);
        }
        const records = newer.map(([slot, ...after], n) => ({
          record: genesis({ generation: n + 2, epoch: n + 2, atSlot: slotAt(at(slot), PERIOD) }),
          heardAt: after.map((late) => slot + late),
        }));
        const checkAt = (now: number): void => {
          ends.forEach((keeper, end) => {
            for (const { record: each, heardAt } of records) {
              if ((heardAt[end] ?? 0) > now) continue;
              keeper.accept(each);
              keeper.giveRoot(each.hash, ROOT);
            }
            keeper.advance(at(now));
          });
          const [a, b] = ends;
          // The sender's clock is a slot behind that of the holder, and the opening a slot on its way.
          const sent = new Set(a?.sendable(at(now - 2)).map(({ id }) => id));
          const everHeld = records.filter(({ heardAt }) => (heardAt[1] ?? 0) <= now);
          const known = [first, ...everHeld.map(({ record: each }) => each)];
          for (const { chainId } of known)
            if (sent.has(chainId)) expect(b?.get(chainId)).toBeDefined();
        };
        for (let now = 0; now < 45; now += 1) checkAt(now);
      }),
      { numRuns: 60 },
    );
  });
});

describe('ChainKeeper.sealable()', () => {
  test('gives a newcomer the present slot and no older one, and it then agrees', () => {
    const keeper = keeperOf();
    const first = begun(keeper);
    keeper.advance(at(7));
    const newcomer = keeperOf();
    for (const sealed of keeper.sealable(at(7))) newcomer.adopt(sealed);
    expect(newcomer.get(first.chainId)?.slot).toBe(slotAt(at(7), PERIOD));
    keeper.advance(at(9));
    newcomer.advance(at(9));
    expect(newcomer.live()).toEqual(keeper.live());
  });
});

describe('ChainKeeper.confirmed()', () => {
  const presence = (keeper: ChainKeeper, nowMs: number) => ({
    v: 1 as const,
    node: A,
    sid: SID,
    seq: 1,
    nextSeal: '',
    chains: keeper.announce(A, SID, nowMs),
    clockOffsetMs: 0,
    hop: 0,
  });

  test('believes a holder, one slot apart either way, and nobody two slots away', () => {
    const [mine, theirs] = [keeperOf(), keeperOf()];
    const first = begun(mine);
    theirs.accept(first);
    theirs.giveRoot(first.hash, ROOT);
    mine.advance(at(3));
    for (const [slots, expected] of [
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 0],
    ] as const) {
      theirs.advance(at(slots));
      expect(mine.confirmed(presence(theirs, at(slots)), at(3))).toHaveLength(expected);
    }
  });

  test('believes no check of another node, statement, slot or value', () => {
    const keeper = keeperOf();
    begun(keeper);
    keeper.advance(at(1));
    const good = presence(keeper, at(1));
    const [only] = good.chains;
    if (!only) throw new Error('nothing announced');
    expect(keeper.confirmed(good, at(1))).toHaveLength(1);
    const other = { ...only, check: b64url(Buffer.alloc(8)) };
    const slot = { ...only, slot: (only.slot - 1) as Slot };
    for (const bad of [
      { ...good, node: 'node-b' as NodeName },
      { ...good, sid: 'b'.repeat(32) as Sid },
      { ...good, chains: [other] },
      { ...good, chains: [slot] },
    ]) {
      expect(keeper.confirmed(bad, at(1))).toHaveLength(0);
    }
  });
});
