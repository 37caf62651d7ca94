// Who the desk lets in when there is hardly room: the rest of it is tested with whole planes (hwtest/guarantees).
import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { AdmissionDesk } from './admission.ts';
import { readChallengeAnswer, readJoinAnswer, signJoin, type JoinAnswer } from './join.ts';
import { ChainKeeper } from './keeper.ts';
import {
  appraisalOf,
  drawNode,
  keptLog,
  NOW_MS,
  NOW_SLOT,
  presenceBy,
  stillClock,
} from './records.fixture.ts';
import { Members } from './members.ts';
import { signPresence } from './presence.ts';
import { entryHash, entryOf, MAX_ROWS } from './roster.ts';
import { UsedSeals } from './sealed.ts';
import type { OwnStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const conductor = drawNode('conductor');
const evidenceDigest = '0'.repeat(64);

/** What a desk is asked over the bus, on which subject, and its answer. */
type Ask = (value: unknown, asked: string) => Promise<Json | undefined>;

const subjects = subjectsOf('c');

/** A desk whose cluster has these members, all of them good; `joining` asks to be one. */
async function deskOf(
  members: readonly NodeName[],
  joining: OwnStatement,
  beforeAppraisal: () => Promise<void> = () => Promise.resolve(),
) {
  let ask: Ask = () => Promise.resolve(undefined);
  let challengeRandom = '';
  const { statement } = conductor;
  const examined = { known: true, statement, appraisal: appraisalOf('affirming') } as const;
  const good = { evidenceDigest, verdict: 'affirming', conductor: statement.sid } as const;
  const entry = entryOf({ ...good, statement, atMs: NOW_MS, ttlMs: 60_000 });
  const roster = Members.of(
    members.map((node) => ({ node, sid: '1'.repeat(32) as Sid, entry: entryHash(entry) })),
  );
  const desk = new AdmissionDesk({
    bus: {
      respond: (_subject: string, handler: Ask) => {
        ask = handler;
        return () => undefined;
      },
    },
    subjects,
    examiner: {
      examine: () => Promise.resolve({ ...examined, evidenceDigest, challengeRandom }),
      examineAgain: async (node) => {
        await beforeAppraisal();
        const { statement } = joining;
        if (node !== statement.node) return { known: false, why: 'its evidence is not on the bus' };
        return { ...examined, statement, evidenceDigest, challengeRandom };
      },
    },
    keeper: new ChainKeeper({ maxStalenessMs: 60_000 }),
    source: { load: () => Promise.resolve(roster), entry: () => Promise.resolve(entry) },
    usedSeals: new UsedSeals(),
    sealKeys: { of: ({ node, sid, seal }) => Promise.resolve({ node, sid, seal }) },
    clock: stillClock,
    log: keptLog().log,
    random: (length) => Buffer.alloc(length),
    patience: { isOn: false },
    ttlMs: 60_000,
    self: () => conductor,
    basis: () => evidenceDigest,
    slot: () => NOW_SLOT,
  });
  await desk.takeOver(evidenceDigest);
  desk.open();
  const { node, sid } = joining.statement;
  const challenge = async (on: NodeName) =>
    readChallengeAnswer(await ask({ v: 1, ask: 'challenge', node }, subjects.join(on)));
  /** Asks on its own subject, or on that of another. */
  const join = async (on = node): Promise<JoinAnswer | undefined> => {
    challengeRandom = (await challenge(node))?.random ?? '';
    const request = { v: 1, ask: 'admit', node, sid, seal: b64url(joining.seal.public) } as const;
    const signed = signJoin({ ...request, needsChains: false }, joining.sign);
    return readJoinAnswer(await ask(signed, subjects.join(on)));
  };
  return {
    desk,
    join,
    challenge,
    tell: (value: unknown, on = node) => ask(value, subjects.join(on)),
  };
}

const crowd = Array.from({ length: MAX_ROWS - 1 }, (_, n) => `node-${n}` as NodeName);

test('AdmissionDesk admits nobody beyond the rows that a roster may have, and renews a member all the same', async () => {
  const { desk, join } = await deskOf(crowd, drawNode('newcomer'));
  expect(await join()).toMatchObject({ ok: false, reason: /roster is full/ });
  expect(desk.members()).toHaveLength(MAX_ROWS - 1);
  const member = await deskOf(crowd, drawNode('node-7'));
  expect(await member.join()).toMatchObject({ ok: true });
});

test('AdmissionDesk examines whom the conductor before admitted, some in each slot, and seals to them then', async () => {
  const { desk } = await deskOf(crowd.slice(0, 300), drawNode('newcomer'));
  const examined = async (): Promise<number> =>
    (await Promise.all(desk.members().map((node) => desk.recipient(node)))).filter(Boolean).length;
  expect(desk.index().rows).toHaveLength(300); // nobody is put out for want of time
  expect(await examined()).toBe(256);
  await desk.examineSome();
  expect(await examined()).toBe(300);
});

test('AdmissionDesk puts out a member that says itself that it withdraws, and no other', async () => {
  const leaver = drawNode('leaver');
  const { desk, join, tell } = await deskOf([], leaver);
  await join();
  const other = drawNode('other');
  const said = { ...presenceBy(leaver, 1), withdrawn: 'PCR 7' };
  await tell(signPresence({ ...said, withdrawn: 'no' }, other.sign));
  expect(desk.members()).toEqual(['leaver']);
  await tell(signPresence(presenceBy(leaver, 1), leaver.sign));
  expect(desk.members()).toEqual(['leaver']);
  await tell(signPresence(said, leaver.sign));
  expect(desk.members()).toEqual([]);
  expect(desk.leaving(NOW_MS)).toEqual([{ node: 'leaver', why: 'withdrew: PCR 7' }]);
});

const FLOODER = 'node-x' as NodeName;
/** What costs nothing to make, and evidence of which has to be fetched before its signature is looked at. */
const forged = (node: NodeName) => ({ kind: 'join', payload: { node, sid: 'ab'.repeat(16) } });

test('AdmissionDesk admits a node in the slot in which another floods its own subject', async () => {
  let examined = 0;
  const { tell, join } = await deskOf([], drawNode('node-7'), async () => {
    examined += 1;
  });
  for (let n = 0; n < 2000; n += 1) await tell(forged(FLOODER), FLOODER);
  expect(examined).toBe(4);
  expect(await join()).toMatchObject({ ok: true });
});

test('AdmissionDesk hears a node on its own subject alone', async () => {
  let examined = 0;
  const { desk, tell, join, challenge } = await deskOf([], drawNode('node-7'), async () => {
    examined += 1;
  });
  expect(await challenge(FLOODER)).toBeUndefined();
  expect(await join(FLOODER)).toBeUndefined();
  for (let n = 0; n < 8; n += 1) await tell(forged('node-7' as NodeName), FLOODER);
  expect(examined).toBe(0);
  expect(await join()).toMatchObject({ ok: true }); // nor has any of it counted against node-7
  expect(desk.members()).toEqual(['node-7']);
});

test('AdmissionDesk examines sixteen that ask at a time, and the others after them', async () => {
  let [underWay, most] = [0, 0];
  const { tell } = await deskOf([], drawNode('node-7'), async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise(setImmediate);
    underWay -= 1;
  });
  const answers = crowd.slice(100, 200).map((node) => tell(forged(node), node));
  expect((await Promise.all(answers)).filter(Boolean)).toHaveLength(100);
  expect(most).toBe(16);
});
