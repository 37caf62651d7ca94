import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { REFUSALS_PER_SECOND } from '#agent/limitedLog.ts';
import type { Appraisal } from '#attest/verify.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { signDirectory, type Directory } from './directory.ts';
import { ChainKeeper } from './keeper.ts';
import { Membership } from './membership.ts';
import { PeerBook } from './peers.ts';
import { signPresence } from './presence.ts';
import {
  appraisalOf,
  drawNode,
  examinerOf,
  keptLog,
  NOW_MS,
  PERIOD_MS,
  presenceBy,
  recordBy,
  stillClock,
} from './records.fixture.ts';
import { Members } from './members.ts';
import type { RosterEntry } from './roster.ts';
import type { OwnStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const B = 'node-b' as NodeName;

let older: OwnStatement;
let newer: OwnStatement;
beforeAll(async () => {
  [older, newer] = [drawNode(B), drawNode(B)];
});

let peers: PeerBook;
let roster: Members;
let inUse: NodeName[] | 'all';
let answers: Map<OwnStatement, Appraisal>;
let withdrawals: string[];
/** On the bus, by subject. */
let stored: Map<string, unknown>;
let membership: Membership;
let isPatient: boolean;
let nowMs: number;
let entry: RosterEntry;
let lines: ReturnType<typeof keptLog>['lines'];
beforeEach(() => {
  const kept = keptLog();
  lines = kept.lines;
  peers = new PeerBook();
  roster = listing(older);
  inUse = 'all';
  isPatient = false;
  entry = ENTRY;
  nowMs = NOW_MS;
  answers = new Map([older, newer].map((own) => [own, appraisalOf('affirming')]));
  withdrawals = [];
  stored = new Map();
  membership = new Membership({
    bus: { last: (_, subject) => Promise.resolve(stored.get(subject)) },
    subjects: subjectsOf('c'),
    examiner: examinerOf(answers),
    follower: {
      get roster() {
        return roster;
      },
      newest: recordBy(older).record,
    },
    keeper: new ChainKeeper({ maxStalenessMs: 3_600_000 }),
    peers,
    inUse: { of: ({ rows }) => (inUse === 'all' ? rows.map(({ node }) => node) : inUse) },
    source: { entry: () => Promise.resolve(entry) },
    slots: new SlotClock(stillClock, PERIOD_MS),
    clock: { ...stillClock, wallMs: () => nowMs },
    log: kept.log,
    node: 'node-a' as NodeName,
    patience: { look: () => isPatient },
    ttlMs: 60_000,
    onWithdrawal: (node, _sid, why) => withdrawals.push(`${node}: ${why}`),
  });
});

const ENTRY: RosterEntry = {
  v: 1,
  statement: '',
  evidenceDigest: '0'.repeat(64),
  verdict: 'affirming',
  level: 'tpm',
  receipt: { conductor: '0'.repeat(32) as Sid, at: NOW_MS },
  expiresAt: NOW_MS + 60_000,
};

const listing = ({ statement: { node, sid } }: OwnStatement): Members =>
  Members.of([{ node, sid, entry: '0'.repeat(64) }]);

const presenceOf = (own: OwnStatement, seq: number, withdrawn?: string) =>
  signPresence(
    { ...presenceBy(own, seq), ...(withdrawn === undefined ? {} : { withdrawn }) },
    own.sign,
  );

const directoryOf = (own: OwnStatement, seq: number, pods: Directory['pods'] = []) => {
  const { node, sid } = own.statement;
  const lane = { address: '198.18.0.12', port: 15_008 };
  return signDirectory({ v: 1, node, sid, seq, lane, pods }, own.sign);
};

/** A renews from `older` to `newer`, both accepted for a while. */
async function renewed(): Promise<void> {
  await membership.follow();
  roster = listing(newer);
  await membership.follow();
}

describe('Membership.follow()', () => {
  test('accepts whom the roster lists and whose evidence holds here, and drops whom it lists no more', async () => {
    await membership.follow();
    expect(peers.get(B)?.accepted).toHaveLength(1);
    roster = Members.none;
    await membership.follow();
    expect(peers.get(B)).toMatchObject({ accepted: [], refused: expect.stringMatching(/roster/) });
  });

  test('reads again what a bus did not give of a peer that it accepted, and what was said while it was away', async () => {
    const subjects = subjectsOf('c');
    const port = (): number | undefined => peers.get(B)?.directory?.lane.port;
    await membership.follow();
    expect(port()).toBeUndefined();
    stored.set(subjects.presence(B), presenceOf(older, 1));
    stored.set(subjects.workloads(B), directoryOf(older, 1));
    await membership.follow();
    expect([port(), peers.get(B)?.presence?.seq]).toEqual([15_008, 1]);
    stored.set(subjects.presence(B), presenceOf(older, 2));
    await membership.follow();
    expect(peers.get(B)?.presence?.seq).toBe(1); // nothing was missed: it would have been heard
    membership.onConnect();
    await membership.follow();
    expect(peers.get(B)?.presence?.seq).toBe(2);
  });

  test('ends a member whose own TPM signed evidence that fails', async () => {
    await membership.follow();
    answers.set(newer, appraisalOf('contraindicated'));
    roster = listing(newer);
    await membership.follow();
    expect(peers.get(B)).toMatchObject({
      accepted: [],
      refused: expect.stringMatching(/contraindicated/),
    });
  });

  test.each([
    ['is not on the bus', undefined],
    [
      'was garbled on the bus, so that no TPM vouches for it',
      appraisalOf('contraindicated', false),
    ],
  ])('keeps a member while the evidence of its renewal %s', async (_what, appraisal) => {
    await membership.follow();
    if (appraisal) answers.set(newer, appraisal);
    else answers.delete(newer);
    roster = listing(newer);
    await membership.follow();
    expect(peers.get(B)?.accepted.map(({ statement }) => statement.sid)).toEqual([
      older.statement.sid,
    ]);
    answers.set(newer, appraisalOf('affirming'));
    await membership.follow();
    expect(peers.get(B)?.accepted[0]?.statement.sid).toBe(newer.statement.sid);
  });
});

describe('Membership in a cluster that is not known whole', () => {
  test('examines peers in use alone, and knows of others that they are members', async () => {
    inUse = [];
    await membership.follow();
    expect(peers.get(B)).toBeUndefined();
    expect(membership.members()).toEqual([]);
    expect(membership.standing(B)).toBe('member');
    expect(membership.standing('nobody' as NodeName)).toBe('unknown');
    inUse = [B];
    await membership.follow();
    expect(peers.get(B)?.accepted).toHaveLength(1);
    expect(membership.members()).toEqual([{ node: B, isJudged: true }]);
  });

  test('forgets a peer that is in use no more, and says of one that left why it is out', async () => {
    await membership.follow();
    inUse = [];
    await membership.follow();
    expect(peers.get(B)).toBeUndefined();
    inUse = 'all';
    await membership.follow();
    roster = Members.none;
    await membership.follow();
    expect(peers.get(B)?.refused).toContain('not in the roster');
  });
});

describe('Membership.revoke()', () => {
  test('drops a node at once and examines it anew, though the roster lists it still', async () => {
    await membership.follow();
    expect(membership.revoke(B, 'was revoked by an owner: lost')).toBe(true);
    expect(peers.get(B)).toMatchObject({ accepted: [], refused: expect.stringMatching(/: lost$/) });
    await membership.follow();
    expect(peers.get(B)?.accepted).toEqual([]);
    expect(membership.revoke(B, 'again')).toBe(false);
  });
});

describe('Membership.hearPresence()', () => {
  test('hears a member under its newest statement, in order, and nobody in its name', async () => {
    await membership.follow();
    expect(membership.hearPresence(presenceOf(older, 2))).toBe(true);
    expect(membership.hearPresence(presenceOf(older, 2))).toBe(false); // a replay
    expect(membership.hearPresence(presenceOf(older, 1))).toBe(false);
    const stolen = { ...older, sign: newer.sign };
    expect(membership.hearPresence(presenceOf(stolen, 3))).toBe(false);
    expect(membership.hearPresence(presenceOf(newer, 9))).toBe(false); // not accepted yet
  });

  test('what is forged in the name of a member leaves a few lines a second, not one each', async () => {
    await membership.follow();
    const stolen = { ...older, sign: newer.sign };
    for (let seq = 1; seq <= 40; seq += 1) {
      expect(membership.hearPresence(presenceOf(stolen, seq))).toBe(false);
      expect(membership.hearDirectory(directoryOf(stolen, seq))).toBe(false);
    }
    const refusals = lines.filter(({ event }) => event.endsWith('.refused'));
    expect(refusals).toHaveLength(REFUSALS_PER_SECOND);
  });

  test('an old presence replayed after a renewal takes nothing back', async () => {
    await renewed();
    expect(membership.hearPresence(presenceOf(newer, 1))).toBe(true);
    expect(membership.hearPresence(presenceOf(older, 99))).toBe(false);
    expect(peers.get(B)?.presence?.sid).toBe(newer.statement.sid);
  });

  test('a withdrawal ends the statement for good, whatever the roster says after it', async () => {
    await membership.follow();
    expect(membership.hearPresence(presenceOf(older, 3, 'PCR 7 changed'))).toBe(true);
    expect(withdrawals).toEqual(['node-b: PCR 7 changed']);
    await membership.follow();
    expect(peers.get(B)?.accepted).toEqual([]);
  });
});

describe('Membership.hearDirectory()', () => {
  test('an old directory replayed after a renewal routes nothing', async () => {
    await renewed();
    expect(membership.hearDirectory(directoryOf(older, 5))).toBe(true); // not heard from since
    expect(membership.hearDirectory(directoryOf(newer, 1))).toBe(true);
    expect(membership.hearDirectory(directoryOf(older, 6))).toBe(false);
    expect(membership.hearDirectory(directoryOf(newer, 1))).toBe(false);
    expect(peers.get(B)?.directory?.sid).toBe(newer.statement.sid);
  });
});

describe('Membership.expire()', () => {
  test('puts out who did not renew, and nobody while none can', async () => {
    await membership.follow();
    nowMs = NOW_MS + 59_999;
    membership.expire();
    expect(peers.get(B)?.accepted).toHaveLength(1);
    nowMs = NOW_MS + 60_000;
    isPatient = true;
    membership.expire();
    expect(peers.get(B)?.accepted).toHaveLength(1);
    isPatient = false;
    membership.expire();
    expect(peers.get(B)).toMatchObject({
      accepted: [],
      refused: expect.stringContaining('did not renew'),
    });
  });

  test('goes by when the evidence was examined where its entry says that it never ends', async () => {
    entry = { ...ENTRY, expiresAt: Number.MAX_SAFE_INTEGER };
    await membership.follow();
    nowMs = NOW_MS + 60_000;
    membership.expire();
    expect(peers.get(B)?.accepted).toEqual([]);
  });
});
