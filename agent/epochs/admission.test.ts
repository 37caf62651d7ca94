// Who the desk lets in when there is hardly room: the rest of it is tested with whole planes (hwtest/guarantees).
import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { AdmissionDesk } from './admission.ts';
import { readChallengeAnswer, readJoinAnswer, signJoin, type JoinAnswer } from './join.ts';
import { ChainKeeper } from './keeper.ts';
import { appraisalOf, drawNode, keptLog, NOW_MS, NOW_SLOT, stillClock } from './records.fixture.ts';
import { entryOf } from './roster.ts';
import type { RosterRow } from './rosterSource.ts';
import { UsedSeals } from './sealed.ts';
import type { OwnStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const MIB = 1 << 20;
const conductor = await drawNode('conductor');
const evidenceDigest = '0'.repeat(64);

/** What a desk is asked over the bus, and its answer. */
type Ask = (value: unknown) => Promise<Json | undefined>;

/** A desk whose cluster has these members, all of them good; `joining` asks to be one. */
async function deskOf(members: readonly NodeName[], joining: OwnStatement) {
  let ask: Ask = () => Promise.resolve(undefined);
  let challengeRandom = '';
  const { statement } = conductor;
  const examined = { known: true, statement, appraisal: appraisalOf('affirming') } as const;
  const good = { evidenceDigest, verdict: 'affirming', conductor: statement.sid } as const;
  const entry = entryOf({ ...good, statement, atMs: NOW_MS, ttlMs: 60_000 });
  const roster: RosterRow[] = members.map((node) => ({
    row: { node, sid: '1'.repeat(32) as Sid, entry: evidenceDigest },
    entry,
  }));
  const desk = new AdmissionDesk({
    bus: {
      respond: (_subject: string, handler: Ask) => {
        ask = handler;
        return () => undefined;
      },
    },
    subjects: subjectsOf('c'),
    examiner: {
      examine: () => Promise.resolve({ ...examined, evidenceDigest, challengeRandom }),
      examineAgain: () =>
        Promise.resolve({
          ...examined,
          statement: joining.statement,
          evidenceDigest,
          challengeRandom,
        }),
    },
    keeper: new ChainKeeper({ maxStalenessMs: 60_000 }),
    source: { load: () => Promise.resolve(roster) },
    usedSeals: new UsedSeals(),
    clock: stillClock,
    log: keptLog().log,
    random: (length) => Buffer.alloc(length),
    ttlMs: 60_000,
    self: () => conductor,
    basis: () => evidenceDigest,
    slot: () => NOW_SLOT,
  });
  await desk.takeOver(evidenceDigest);
  desk.open();
  const join = async (): Promise<JoinAnswer | undefined> => {
    const { node, sid } = joining.statement;
    const given = readChallengeAnswer(await ask({ v: 1, ask: 'challenge', node }));
    challengeRandom = given?.random ?? '';
    const request = { v: 1, ask: 'admit', node, sid, seal: b64url(joining.seal.public) } as const;
    return readJoinAnswer(await ask(signJoin({ ...request, needsChains: false }, joining.sign)));
  };
  return { desk, join };
}

/** Nodes with names as long as they may be for which an index has room, beside the conductor and one more. */
const room = 2_740;
const nameOf = (n: number): NodeName => `${'x'.repeat(249)}${1000 + n}` as NodeName;
const crowd = Array.from({ length: room }, (_, n) => nameOf(n));

test('AdmissionDesk admits nobody whose row would make the index longer than the bus carries', async () => {
  const { desk, join } = await deskOf(crowd, await drawNode('newcomer'.padEnd(253, 'y')));
  expect(await join()).toMatchObject({ ok: true });
  expect(jcs(desk.index()).length).toBeLessThan(MIB);
  const full = await deskOf(desk.members(), await drawNode('another'.padEnd(253, 'y')));
  expect(await full.join()).toMatchObject({ ok: false, reason: /roster is full/ });
  expect(full.desk.members()).toHaveLength(room + 1);
});

test('AdmissionDesk renews a member though the roster is full', async () => {
  const { desk, join } = await deskOf([...crowd, nameOf(room)], await drawNode(nameOf(0)));
  expect(await join()).toMatchObject({ ok: true });
  expect(desk.members()).toHaveLength(room + 1);
});
