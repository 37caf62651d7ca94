import { beforeAll, describe, expect, test } from 'vitest';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { RecordFollower } from './follower.ts';
import { RecordHistory } from './history.ts';
import { ChainKeeper } from './keeper.ts';
import { Members } from './members.ts';
import {
  appraisalOf,
  drawNode,
  examinerOf,
  garbage,
  keptLog,
  NOW_MS,
  NOW_SLOT,
  PERIOD_MS,
  recordBy,
  stillClock,
} from './records.fixture.ts';
import type { OwnStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const POLICY_HASH = 'ee'.repeat(32);

let conductor: OwnStatement;
let stranger: OwnStatement;
beforeAll(async () => {
  [conductor, stranger] = await Promise.all([drawNode('node-a'), drawNode('node-x')]);
});

/** A follower of a bus that has kept `stored`, newest first. */
function follow(
  stored: readonly unknown[],
  roster?: Members | 'lost',
  onRead: () => void = () => undefined,
) {
  const history = new RecordHistory(POLICY_HASH, 3_600_000);
  const bus = {
    connected: true,
    count: () => {
      onRead();
      return Promise.resolve(stored.length);
    },
    history: async function* () {
      yield* stored;
    },
  };
  const follower = new RecordFollower({
    bus,
    subjects: subjectsOf('c'),
    examiner: examinerOf(new Map([[conductor, appraisalOf('affirming')]])),
    keeper: new ChainKeeper({ maxStalenessMs: 3_600_000 }),
    history,
    source: {
      load: () => Promise.resolve(roster === 'lost' ? undefined : (roster ?? Members.none)),
    },
    slots: new SlotClock(stillClock, PERIOD_MS),
    clock: stillClock,
    log: keptLog().log,
    limits: {
      domain: 'example.org',
      cluster: 'c',
      periodMs: { min: 1000, max: 30_000 },
      algorithms: [1],
    },
    lookBackMs: 60_000,
    ownStatement: () => undefined,
  });
  return { follower, history };
}

/** A record of the conductor and its successor. */
function twoRecords() {
  const first = recordBy(conductor);
  const second = recordBy(conductor, {
    kind: 'epoch',
    epoch: 2,
    parent: first.record.chainId,
    prev: first.record.hash,
    atSlot: NOW_SLOT,
    rootCommit: undefined,
  });
  return { first, second };
}

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

  test('is true at once where no record was ever stored', async () => {
    const { follower } = follow([]);
    await follower.catchUp();
    expect(follower.ready).toBe(true);
  });
});

test('RecordFollower.ready is false while the roster of the newest record is not there', async () => {
  const { follower } = follow([recordBy(conductor).document], 'lost');
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
    const { follower } = follow(stored, Members.none, () => (reads += 1));
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
