import { describe, expect, test } from 'vitest';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import {
  conductor,
  examinerThat,
  follow,
  LOOK_BACK_MS,
  POLICY_HASH,
  stranger,
  twoRecords,
} from './follower.fixture.ts';
import { RecordHistory } from './history.ts';
import { NOW_MS, PERIOD_MS, recordBy, stillClock } from './records.fixture.ts';
import type { OwnStatement } from './statement.ts';

/** Forged records that name as many conductors, each newer than the one after it. */
const forgeries = (count: number): readonly unknown[] =>
  Array.from({ length: count }, (_, n) => {
    const sid = n.toString(16).padStart(32, '0') as OwnStatement['statement']['sid'];
    const { node } = stranger.statement;
    return recordBy(stranger, { term: 9, epoch: 1000 - n, conductor: { node, sid } }).document;
  });

describe('RecordFollower.catchUp() of a node that follows a cluster', () => {
  /** One that knows a record, whose examiner trusts the stranger once it knows the record `basis()`. */
  async function following(basis: () => string) {
    let nowMs = NOW_MS;
    const clock = { ...stillClock, wallMs: () => nowMs, monoMs: () => nowMs - NOW_MS };
    const known = recordBy(conductor, { prev: 'a'.repeat(64) }).record;
    const history = new RecordHistory(POLICY_HASH, 3_600_000);
    const examiner = examinerThat((sid) => sid === conductor.statement.sid || history.has(basis()));
    const stored: unknown[] = [];
    const slots = new SlotClock(clock, PERIOD_MS);
    const { follower } = follow(stored, { history, examiner, slots, clock });
    await follower.take(known.document);
    const pass = (ms: number): void => void (nowMs += ms);
    pass(9 * PERIOD_MS); // it has not just started
    return { follower, history, known, stored, pass };
  }

  test('takes no evidence that rests on a record for which only its own conductor vouches', async () => {
    let basis = '';
    const { follower, history, known, stored } = await following(() => basis);
    const made = recordBy(stranger, { prev: known.hash, term: 2, generation: 2, epoch: 2 });
    basis = made.record.hash;
    const claims = recordBy(stranger, { prev: basis, term: 3, generation: 3, epoch: 3 });
    stored.push(claims.document, { ...made.document, signatures: [] });
    await follower.take(claims.document);
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(known.hash);
    expect(history.has(basis)).toBe(false);
  });

  test('verifies those that are linked oldest first, each on what was verified before it', async () => {
    let basis = '';
    const { follower, history, known, stored } = await following(() => basis);
    const first = recordBy(conductor, { prev: known.hash, epoch: 2 });
    basis = first.record.hash;
    const second = recordBy(stranger, { prev: basis, term: 2, epoch: 3 });
    const forged = recordBy(stranger, { prev: second.record.hash, term: 3, epoch: 4 });
    const unsigned = { ...forged.document, signatures: [] };
    stored.push(unsigned, { ...first.document, signatures: [] }, second.document, first.document);
    await follower.take(unsigned);
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(second.record.hash);
    expect(history.has(basis)).toBe(true);
  });

  test('takes a cluster at its word again after a lifetime of an attestation without a record', async () => {
    let basis = '';
    const { follower, known, stored, pass } = await following(() => basis);
    const lost = recordBy(stranger, { prev: known.hash, term: 2, generation: 2, epoch: 2 });
    basis = lost.record.hash;
    const there = recordBy(stranger, { prev: basis, term: 3, generation: 3, epoch: 3 });
    stored.push(there.document, { ...lost.document, signatures: [] });
    pass(LOOK_BACK_MS - 9 * PERIOD_MS);
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(known.hash);
    pass(1);
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(there.record.hash);
  });
});

describe('RecordFollower.catchUp() of a node that starts', () => {
  test('finds the newest record under any number that name conductors without evidence', async () => {
    const { first } = twoRecords();
    const examiner = examinerThat(
      () => true,
      () => true,
    );
    const { follower } = follow([...forgeries(300), first.document], { examiner });
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(first.record.hash);
  });

  test('looks at evidence that is refused in turns, and may not conduct before it has seen all', async () => {
    const { first } = twoRecords();
    let isThere = false;
    const examiner = examinerThat(() => isThere);
    const { follower } = follow([...forgeries(100), first.document], { examiner });
    for (let round = 0; round < 12; round += 1) {
      const before = examiner.asked.length;
      await follower.onRound();
      expect(examiner.asked.length - before).toBeLessThanOrEqual(16);
      expect(follower.ready).toBe(false);
    }
    expect(follower.newest).toBeUndefined();
    isThere = true;
    for (let round = 0; round < 14; round += 1) await follower.onRound();
    expect(follower.newest?.hash).toBe(first.record.hash);
  });

  test('looks for evidence once, on whatever a record in its conductor’s name is linked to', async () => {
    const { first, second } = twoRecords();
    const history = new RecordHistory(POLICY_HASH, 3_600_000);
    const forged = recordBy(conductor, { term: 9, prev: 'b'.repeat(64) });
    const unsigned = { ...forged.document, signatures: [] };
    const examiner = examinerThat(() => history.has(first.record.hash));
    const stored = [unsigned, second.document, first.document];
    const { follower } = follow(stored, { history, examiner });
    await follower.catchUp();
    expect(follower.newest?.hash).toBe(second.record.hash);
    expect(examiner.asked).toHaveLength(1);
  });
});
