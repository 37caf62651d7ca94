import { describe, expect, test } from 'vitest';
import { slotPlus, type ChainId } from '#agent/base/brands.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { conductor, examinerThat, follow, stranger, twoRecords } from './follower.fixture.ts';
import { garbage, NOW_MS, NOW_SLOT, PERIOD_MS, recordBy, stillClock } from './records.fixture.ts';
import type { OwnStatement } from './statement.ts';

const NO_CHAIN = '0'.repeat(32) as ChainId;

describe('RecordFollower.catchUp()', () => {
  test('finds the newest record under any amount of garbage and forged records', async () => {
    const { first, second } = twoRecords();
    const forged = recordBy(stranger, { term: 9, generation: 9 });
    const unsigned = { ...second.document, signatures: forged.document.signatures };
    const noise = Array.from({ length: 300 }, (_, n) => garbage(n));
    const { follower } = follow([
      ...noise,
      forged.document,
      unsigned,
      second.document,
      ...noise,
      first.document,
    ]);
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(second.record.hash);
    expect(follower.ready).toBe(true);
  });

  test('keeps nothing of a record that nobody vouches for: no evidence may be based on it', async () => {
    const { first } = twoRecords();
    const later = recordBy(stranger, { prev: first.record.hash, epoch: 2 });
    const { follower, history } = follow([later.document, first.document]);
    const before = follow([later.document]);
    await before.follower.catchUp();
    expect(before.follower.newest).toBeUndefined();
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(first.record.hash);
    expect(history.has(later.record.hash)).toBe(false);
    expect(history.acceptable(later.record.hash, NOW_MS, 3_600_000)).toBe(false);
  });
});

describe('RecordFollower.ready', () => {
  test('is false while stored records could not be read back, so that nobody forks the cluster', async () => {
    const { follower } = follow([recordBy(stranger).document]);
    expect(follower.ready).toBe(false);
    for (let tries = 0; tries < 6; tries += 1) await follower.catchUp();
    expect(follower.ready).toBe(false);
    await follower.catchUp(); // who wrote them is gone for good: a cluster that was all down starts anew
    expect(follower.ready).toBe(true);
  });

  test('stays false while the bus does not answer: who cannot read does not begin anew', async () => {
    let isAnswered = false;
    const { follower } = follow([], { isAnswered: () => isAnswered });
    const stranded = follow([recordBy(stranger).document], { isAnswered: () => isAnswered });
    for (let tries = 0; tries < 50; tries += 1) await stranded.follower.catchUp();
    expect(stranded.follower.ready).toBe(false);
    isAnswered = true;
    for (let tries = 0; tries < 7; tries += 1) await stranded.follower.catchUp();
    expect(stranded.follower.ready).toBe(true);
    await follower.catchUp();
    expect(follower.ready).toBe(true);
  });

  test('is true at once where no record was ever stored', async () => {
    const { follower } = follow([]);
    await follower.catchUp();
    expect(follower.ready).toBe(true);
  });
});

test('RecordFollower.ready is false while the roster of the newest record is not there', async () => {
  const { follower } = follow([recordBy(conductor).document], { roster: 'lost' });
  await follower.catchUp();
  expect(follower.newest).toBeDefined();
  expect(follower.ready).toBe(false);
});

describe('RecordFollower.onRound()', () => {
  test('leaves a cluster of its own for the one that is there, whatever lies between, and by its order alone', async () => {
    // Started alone on an empty bus, twice: its term is the higher one.
    const alone = recordBy(conductor, { term: 7 });
    const there = recordBy(conductor, { term: 3, generation: 5, epoch: 90, prev: 'a'.repeat(64) });
    const stored: unknown[] = [alone.document];
    const { follower } = follow(stored);
    await follower.take(alone.document);
    expect(await follower.onRound()).toBe(false);
    stored.push(there.document); // put back before what it says itself again
    expect(await follower.take(there.document)).toBe(false);
    expect(await follower.onRound()).toBe(true);
    expect(follower.newest?.hash).toBe(there.record.hash);
  });

  test('looks less and less often into records that claim to be newer and are nobody’s', async () => {
    const first = recordBy(conductor);
    const stored: unknown[] = [first.document];
    let reads = 0;
    const { follower } = follow(stored, { onRead: () => (reads += 1) });
    await follower.take(first.document);
    for (let round = 0; round < 100; round += 1) {
      await follower.take(
        recordBy(stranger, { term: 2, generation: 2, epoch: 2 + round }).document,
      );
      await follower.onRound();
    }
    expect(reads).toBeLessThan(10);
  });
});

describe('RecordFollower.take()', () => {
  test('goes on to the newest from the first that it hears: it may be one of many that are put back', async () => {
    const { first, second } = twoRecords();
    const { follower } = follow([second.document, first.document]);
    expect(await follower.take(first.document)).toBe(true);
    expect(follower.newest?.hash).toBe(second.record.hash);
  });

  test('takes four records of one slot of one term, and no fifth', async () => {
    const { follower } = follow([]);
    const taken: boolean[] = [];
    for (let epoch = 1; epoch <= 5; epoch += 1) {
      const change = epoch > 1 ? { kind: 'epoch' as const, rootCommit: undefined } : {};
      const parent = epoch > 1 ? NO_CHAIN : null;
      taken.push(await follower.take(recordBy(conductor, { ...change, epoch, parent }).document));
    }
    expect(taken).toEqual([true, true, true, true, false]);
    const next = recordBy(conductor, {
      kind: 'epoch',
      rootCommit: undefined,
      parent: NO_CHAIN,
      epoch: 6,
      atSlot: slotPlus(NOW_SLOT, 1),
    });
    expect(await follower.take(next.document)).toBe(true);
  });

  test('follows the wall clock on the word of the conductor or of a record that counts, and of no other', async () => {
    const aheadMs = 3_600_000;
    const atSlot = slotPlus(NOW_SLOT, aheadMs / PERIOD_MS + 3);
    const both = examinerThat(() => true);
    const after = async (by: OwnStatement, change: Parameters<typeof recordBy>[1]) => {
      let wallMs = NOW_MS;
      const slots = new SlotClock({ ...stillClock, wallMs: () => wallMs }, PERIOD_MS);
      const { follower } = follow([], { slots, examiner: both });
      await follower.take(recordBy(conductor).document);
      wallMs += aheadMs;
      await follower.take(recordBy(by, { atSlot, ...change }).document);
      return slots.timeMs() - NOW_MS;
    };
    expect(await after(stranger, { term: 2, generation: 5, epoch: 2 })).toBe(0);
    expect(await after(stranger, { generation: 2, epoch: 2 })).toBe(0); // of the conductor's term
    expect(await after(stranger, { term: 2, generation: 2, epoch: 2 })).toBe(aheadMs);
    expect(await after(conductor, { generation: 5, epoch: 2 })).toBe(aheadMs);
  });

  test('comes back by a record that counts only with what is stored, when slot time is behind', async () => {
    const aheadMs = 3_600_000;
    let wallMs = NOW_MS;
    const slots = new SlotClock({ ...stillClock, wallMs: () => wallMs }, PERIOD_MS);
    const missed = recordBy(stranger, {
      term: 2,
      generation: 2,
      epoch: 2,
      atSlot: slotPlus(NOW_SLOT, aheadMs / PERIOD_MS + 2),
    });
    const said = recordBy(stranger, {
      term: 2,
      generation: 3,
      epoch: 3,
      atSlot: slotPlus(NOW_SLOT, aheadMs / PERIOD_MS + 3),
      prev: missed.record.hash,
    });
    const stored = [said.document, missed.document];
    const { follower } = follow(stored, { slots, examiner: examinerThat(() => true) });
    await follower.take(recordBy(conductor, { prev: 'a'.repeat(64) }).document);
    wallMs += aheadMs;
    expect(await follower.take(said.document)).toBe(true);
    expect(slots.timeMs() - NOW_MS).toBe(aheadMs);
  });

  test('takes a record once, and none that another signed in its conductor’s name', async () => {
    const { first } = twoRecords();
    const { follower } = follow([]);
    const { signatures } = recordBy(stranger).document;
    expect(await follower.take({ ...first.document, signatures })).toBe(false);
    expect(follower.newest).toBeUndefined();
    expect(await follower.take(first.document)).toBe(true);
    expect(await follower.take(first.document)).toBe(false);
    expect(follower.refused).toBe(1);
  });
});
