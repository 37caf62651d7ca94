// Whom a node that is asked to follow others hears: what it does then is tested on a real bus (hwtest/guarantees).
import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { readMeetAnswer, signMeet } from './meet.ts';
import { Meeting } from './meeting.ts';
import { Members } from './members.ts';
import { PeerBook } from './peers.ts';
import { PeersInUse } from './peersInUse.ts';
import {
  appraisalOf,
  drawNode,
  keptLog,
  NOW_MS,
  NOW_SLOT,
  PERIOD_MS,
  recordBy,
  stillClock,
} from './records.fixture.ts';
import { entryHash, entryOf } from './roster.ts';
import { subjectsOf } from './subjects.ts';

const [SELF, FLOODER] = ['node-b', 'node-x'] as [NodeName, NodeName];
const subjects = subjectsOf('c');
const asker = drawNode('node-a');
const { node: ASKER, sid: askerSid } = asker.statement;
const entry = entryOf({
  statement: asker.statement,
  evidenceDigest: '0'.repeat(64),
  verdict: 'affirming',
  conductor: askerSid,
  atMs: NOW_MS,
  ttlMs: 60_000,
});

/** SELF in a cluster that is not known whole, where it has accepted the asker's evidence. */
async function meetingOf() {
  const own = drawNode(SELF);
  const peers = new PeerBook();
  const listedBy = recordBy(asker).record;
  const appraisal = appraisalOf('affirming');
  peers.accept(ASKER, { statement: asker.statement, entry, appraisal, listedBy });
  const row = { sid: askerSid, entry: entryHash(entry) };
  const roster = Members.of([ASKER, FLOODER].map((node) => ({ node, ...row })));
  let hear: (value: unknown, asked: string) => Promise<Json | undefined> = () =>
    Promise.resolve(undefined);
  const requests: string[] = [];
  const counts = { entriesRead: 0 };
  const meeting = new Meeting({
    bus: {
      connected: true,
      respond: (_subject, handler) => {
        hear = handler;
        return () => undefined;
      },
      request: async (subject) => {
        requests.push(subject);
        await new Promise(setImmediate);
        return { v: 1, ok: true, reason: '' };
      },
    },
    subjects,
    follower: { roster },
    source: {
      entry: () => {
        counts.entriesRead += 1;
        return Promise.resolve(entry);
      },
    },
    inUse: new PeersInUse({ knowAllUpTo: 0, clock: stillClock, node: SELF }),
    own: { listed: [{ own, listedBy }] },
    peers,
    whereabouts: { claimants: () => Promise.resolve([]) },
    slots: new SlotClock(stillClock, PERIOD_MS),
    clock: stillClock,
    log: keptLog().log,
    node: SELF,
    periodMs: PERIOD_MS,
    follow: () => Promise.resolve(),
  });
  meeting.start();
  const genuine = signMeet(
    { v: 1, node: ASKER, sid: askerSid, to: SELF, slot: NOW_SLOT },
    asker.sign,
  );
  return { meeting, requests, counts, genuine, hear };
}

test('Meeting meets a node in the slot in which another floods its own subject', async () => {
  const { counts, genuine, hear } = await meetingOf();
  const forged = { ...genuine, payload: { v: 1, node: FLOODER, sid: askerSid } };
  for (let n = 0; n < 600; n += 1) await hear(forged, subjects.meet(SELF, FLOODER));
  expect(counts.entriesRead).toBe(8);
  const answer = readMeetAnswer(await hear(genuine, subjects.meet(SELF, ASKER)));
  expect(answer).toMatchObject({ ok: true });
});

test('Meeting hears a node on the subject that the bus lets it alone speak on', async () => {
  const { counts, genuine, hear } = await meetingOf();
  for (let n = 0; n < 600; n += 1) {
    expect(await hear(genuine, subjects.meet(SELF, FLOODER))).toBeUndefined();
  }
  expect(counts.entriesRead).toBe(0);
  const answer = readMeetAnswer(await hear(genuine, subjects.meet(SELF, ASKER)));
  expect(answer).toMatchObject({ ok: true });
});

test('Meeting asks a node once at a time, however many addresses are of its pods', async () => {
  const { meeting, requests } = await meetingOf();
  await Promise.all(Array.from({ length: 50 }, () => meeting.meet([ASKER])));
  expect(requests).toEqual([subjects.meet(ASKER, SELF)]);
  await meeting.meet([ASKER]);
  expect(requests).toHaveLength(2);
});
