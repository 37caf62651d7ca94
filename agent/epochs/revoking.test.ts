import { beforeEach, describe, expect, test, vi } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { Members } from './members.ts';
import { signRevocation, type Revocation } from '#attest/revocation.ts';
import { PeerBook, type AcceptedStatement } from './peers.ts';
import { heardOf, keptLog } from './records.fixture.ts';
import { Revocations } from './revocations.ts';
import { Revoking } from './revoking.ts';
import { Serial } from './serial.ts';
import { subjectsOf } from './subjects.ts';

const [A, B, C] = ['node-a', 'node-b', 'node-c'] as NodeName[] as [NodeName, NodeName, NodeName];
const owner = generateSigningKey();
const subjects = subjectsOf('c');
const stream = subjects.streams.revocation;

const NOW_MS = 5000;
const revoked = (node: NodeName, issuedAt = 2000, more: Partial<Revocation> = {}) =>
  signRevocation(
    { v: 1, domain: 'example.org', cluster: 'c', node, reason: 'lost', issuedAt, ...more },
    owner,
  );

/** What the bus has of the stream, and whether it can be asked and takes anything. */
let stored: Map<string, unknown>;
let bus: { answers: boolean; takes: boolean };
/** What was done about which node. */
let done: string[];
let enrolledAtMs: number | undefined;
let hear: (value: unknown) => void;
let revoking: Revoking;
let lines: ReturnType<typeof keptLog>['lines'];
let serial: Serial;
let peers: PeerBook;

beforeEach(() => {
  stored = new Map();
  bus = { answers: true, takes: true };
  done = [];
  enrolledAtMs = undefined;
  const kept = keptLog();
  lines = kept.lines;
  serial = new Serial(kept.log);
  peers = new PeerBook();
  revoking = new Revoking({
    bus: {
      connected: true,
      subscribe: (_subject, _maxBytes, handler) => {
        hear = (value) => handler(heardOf(value));
        return () => undefined;
      },
      subjects: async (_stream, count) =>
        bus.answers ? [...stored.keys()].slice(0, count) : undefined,
      last: async (of, subject) => (of === stream ? stored.get(subject) : undefined),
      publish: async (subject, value) => {
        if (bus.takes) stored.set(subject, value);
        return bus.takes;
      },
    },
    subjects,
    revocations: new Revocations({
      owners: [owner.public],
      domain: 'example.org',
      cluster: 'c',
      directory: '/proc/none', // not kept: that is tested elsewhere
      log: keptLog().log,
    }),
    examiner: { enrolledAfter: async () => enrolledAtMs },
    follower: { roster: Members.none },
    membership: { revoke: (node) => done.push(`out ${node}`) > 0 },
    conductor: {
      leading: true,
      onRevoked: (node) => done.push(`left ${node}`),
      resign: async () => void done.push('resign'),
    },
    attestor: { revoked: () => done.push('self') },
    own: { isIn: () => true, forgetListed: () => done.push('forget') },
    peers,
    serial,
    slots: { timeMs: () => NOW_MS },
    log: kept.log,
    refusals: kept.log,
    node: A,
    onChange: () => done.push('change'),
  });
  revoking.start();
});

const settled = (expected: () => void) => vi.waitFor(expected);
const lost = subjects.revocation(B);

describe('Revoking', () => {
  test('shuts a node out once, whoever says it, and tells the bus what an owner gave', async () => {
    const document = revoked(B);
    expect(await revoking.revoke(document)).toMatchObject({
      isNews: true,
      wasMember: true,
      isPublished: true,
    });
    expect(done).toEqual(['out node-b', 'left node-b', 'change']);
    expect(stored.get(lost)).toEqual(document);
    hear(document);
    expect(await revoking.revoke(document)).toMatchObject({ isNews: false, wasMember: false });
    expect(done).toHaveLength(3);
  });

  test('takes an owner’s word at once while a task hangs, and what that finds afterwards counts for nothing', async () => {
    let finish = (): void => undefined;
    serial.add('round', () => new Promise((resolve) => (finish = resolve)));
    await new Promise(setImmediate);
    expect(await revoking.revoke(revoked(B))).toMatchObject({ isNews: true, wasMember: true });
    expect(done).toEqual(['out node-b', 'left node-b', 'change']);
    peers.accept(B, {} as AcceptedStatement); // of the task, which had examined the node before
    expect(peers.get(B)).toBeUndefined();
    finish();
    await serial.settled();
    expect(done).toEqual([...done.slice(0, 3), 'out node-b', 'left node-b', 'change']);
    expect(lines.filter(({ event }) => event === 'node.revoked')).toHaveLength(1);
    peers.accept(B, {} as AcceptedStatement); // enrolled anew
    expect(peers.standing(B)).toBe('member');
  });

  test('lanes of this node are cut before it gives up the lease', async () => {
    hear(revoked(A));
    await settled(() => expect(done).toEqual(['self', 'forget', 'change', 'resign']));
  });

  test('cuts nothing of a node that was enrolled later, and says when', async () => {
    enrolledAtMs = 3000;
    expect(await revoking.revoke(revoked(B))).toMatchObject({ wasMember: false, outlivedBy: 3000 });
    hear(revoked(A));
    await revoking.revoke(revoked(C));
    await serial.settled(); // what was heard comes after what an owner gives
    expect(done).toEqual([]);
  });

  test('a quarantine shuts a node out, and its end lets it in, but for what was revoked before', async () => {
    const until = NOW_MS + 1;
    expect(await revoking.revoke(revoked(B, 2000, { until }))).toMatchObject({ wasMember: true });
    expect(done).toEqual(['out node-b', 'left node-b', 'change']);
    expect(lines.at(-1)?.text).toMatch(/was quarantined by an owner at .* until .*: lost/);
    const lifted = await revoking.revoke(revoked(B, 3000, { until: 3000, reason: 'found' }));
    expect(lifted).toMatchObject({ isNews: true, wasMember: false });
    expect(lines.at(-1)).toMatchObject({
      event: 'node.released',
      text: 'node-b may join again: found',
    });
    expect(done).toHaveLength(3);
    await revoking.revoke(revoked(B, 4000, { until: 4000, revokedAt: 3500 }));
    expect(done).toHaveLength(6); // this node had missed the revocation
    expect(lines.at(-1)?.text).toContain('was revoked by an owner at 1970-01-01T00:00:03.500Z');
    enrolledAtMs = 3600;
    await revoking.revoke(revoked(B, 4001, { until: 4001, revokedAt: 3500 }));
    expect(lines.at(-1)).toMatchObject({ event: 'node.released' });
    expect(done).toHaveLength(6);
  });

  test('says which quarantine a revocation of before has displaced', async () => {
    await revoking.revoke(revoked(B, 3000, { until: NOW_MS + 1 }));
    await revoking.revoke(revoked(B, 2000));
    expect(lines.map(({ event }) => event)).toContain('revocation.displaced');
    expect(await revoking.revoke(revoked(B, 4000))).toMatchObject({ isNews: true });
    expect(lines.filter(({ event }) => event === 'revocation.displaced')).toHaveLength(1);
  });

  test('says again what the bus did not take, and what it has lost', async () => {
    bus.takes = false;
    const document = revoked(B);
    expect(await revoking.revoke(document)).toMatchObject({ isPublished: false });
    bus.takes = true;
    revoking.onRound();
    await settled(() => expect(stored.get(lost)).toEqual(document));
    stored.clear();
    revoking.onConnect();
    await settled(() => expect(stored.get(lost)).toEqual(document));
  });

  test('puts it back where somebody has put garbage in its place', async () => {
    const document = revoked(B);
    await revoking.revoke(document);
    stored.set(lost, { garbage: true });
    hear({ garbage: true });
    await settled(() => expect(lines.at(-1)).toMatchObject({ event: 'revocation.refused' }));
    revoking.onRound();
    await settled(() => expect(stored.get(lost)).toEqual(document));
  });

  test('takes a newer one that is stored, and does not put its own in its place', async () => {
    await revoking.revoke(revoked(B, 2000));
    const newer = revoked(B, 3000);
    stored.set(lost, newer);
    revoking.onConnect();
    await settled(() => expect(done).toHaveLength(6)); // shut out once more
    await new Promise(setImmediate);
    expect(stored.get(lost)).toEqual(newer);
  });

  test('reads what it has missed: at a connect, after one that failed, and every few rounds', async () => {
    stored.set(lost, revoked(B));
    bus.answers = false;
    revoking.onConnect();
    await new Promise(setImmediate);
    bus.answers = true;
    revoking.onRound();
    await settled(() => expect(done).toContain('out node-b'));
    stored.set(subjects.revocation(C), revoked(C));
    for (let round = 0; round < 6; round += 1) revoking.onRound();
    await settled(() => expect(done).toContain('out node-c'));
  });

  test('puts a newer word back over an older one that was said again, and finds one that it missed', async () => {
    const rounds = async (): Promise<void> => {
      for (let round = 0; round < 6; round += 1) revoking.onRound();
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    };
    revoking.onConnect();
    await rounds();
    const newer = revoked(B, 3000);
    await revoking.revoke(newer);
    stored.set(lost, revoked(B, 2000)); // a replay
    hear(revoked(B, 2000));
    await rounds();
    await settled(() => expect(stored.get(lost)).toEqual(newer));
    stored.set(lost, revoked(B, 4000)); // said while this node did not listen
    await rounds();
    await settled(() => expect(done.filter((each) => each === 'out node-b')).toHaveLength(2));
  });

  test('takes nothing when the agent stops, and says so', async () => {
    await serial.close();
    await expect(revoking.revoke(revoked(B))).rejects.toMatchObject({ code: 'AGENT_STOPPING' });
  });
});
