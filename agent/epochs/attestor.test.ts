// Tests of attestation rounds that concern the bus: what is drawn while it is away serves nobody, and what others judge
// the node by is there as it was put.
import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import { Attestor } from './attestor.ts';
import { evidenceKey } from './examiner.ts';
import { appraisalOf, keptLog, stillClock } from './records.fixture.ts';
import { parseStatement } from './statement.ts';
import { nodeToken, subjectsOf } from './subjects.ts';

const NODE = 'node-a' as NodeName;
const ENROLMENT = { signed: 'by an owner' };
const OF_ENROLMENT = nodeToken(NODE);

/** Nobody conducts; the bus keeps what it is given while `bus.connected`. */
function attestorOn(bus: { connected: boolean }) {
  const stored = new Map<string, Json>();
  const attested: Sid[] = [];
  const { log, lines } = keptLog();
  let isListed = false;
  let reads = 0;
  const attestor = new Attestor({
    bus: {
      get connected() {
        return bus.connected;
      },
      put: async (_bucket, key, value) => {
        if (bus.connected) stored.set(key, value);
        return bus.connected;
      },
      get: async (_bucket, key) => {
        if (key !== OF_ENROLMENT) reads += 1;
        const value = bus.connected ? stored.get(key) : undefined;
        return value === undefined ? undefined : { value, revision: 1 };
      },
      request: () => Promise.reject(new Error('no responders')),
    },
    subjects: subjectsOf('c'),
    examiner: {
      appraise: async (_node, _sid, evidence) => ({
        known: true,
        statement: parseStatement(Buffer.from(String(evidence), 'hex')),
        appraisal: appraisalOf('affirming'),
        evidenceDigest: '0'.repeat(64),
        challengeRandom: '',
      }),
    },
    own: { isListed: () => isListed },
    enrolment: ENROLMENT,
    collect: async (statement) => Buffer.from(statement).toString('hex'),
    clock: stillClock,
    log,
    random: (bytes) => Buffer.alloc(bytes, stored.size + attested.length),
    domain: 'example.org',
    cluster: 'c',
    node: NODE,
    algorithms: [1],
    basis: () => '0'.repeat(64),
    onAttested: ({ statement }) => void attested.push(statement.sid),
    leading: () => false,
  });
  const sid = () => attestor.current?.statement.sid;
  return {
    attestor,
    stored,
    sid,
    evidence: () => [...stored.keys()].filter((key) => key !== OF_ENROLMENT),
    /** Of the statement in use. */
    key: () => evidenceKey(NODE, sid() ?? ('' as Sid)),
    list: (listed: boolean) => void (isListed = listed),
    /** How often evidence was read. */
    reads: () => reads,
    warnings: () => lines.filter(({ event }) => event === 'own.put-back').length,
  };
}

test('round() uses a new statement once the bus has its evidence', async () => {
  const bus = { connected: true };
  const { attestor, evidence, key, sid } = attestorOn(bus);
  await attestor.round(false, false);
  const [first, ofFirst] = [sid(), key()];
  expect(evidence()).toEqual([ofFirst]);
  bus.connected = false; // the bus goes away within the round, or just before
  expect(await attestor.round(false, false)).toMatchObject({ outcome: 'attested', stored: false });
  expect(sid()).toBe(first);
  bus.connected = true;
  expect(await attestor.round(false, false)).toMatchObject({ outcome: 'attested', stored: true });
  expect(sid()).not.toBe(first);
  expect(evidence()).toEqual([ofFirst, key()]);
});

test('round() with reuse asks the TPM again about the statement in use', async () => {
  const { attestor, sid } = attestorOn({ connected: false });
  await attestor.round(false, false);
  const first = sid();
  expect(first).toBeDefined(); // the first one is better than none
  expect(await attestor.round(true, false)).toMatchObject({ outcome: 'attested', stored: false });
  expect(sid()).toBe(first);
});

test('look() puts evidence back that somebody replaced, in each slot until it is listed and some more', async () => {
  const { attestor, stored, key, list, reads, warnings } = attestorOn({ connected: true });
  await attestor.round(false, false);
  const first = key();
  const genuine = stored.get(first);
  const look = async (found?: Json): Promise<Json | undefined> => {
    if (found === undefined) stored.delete(key());
    else stored.set(key(), found);
    await attestor.look();
    return stored.get(key());
  };
  for (let slot = 0; slot < 9; slot += 1) expect(await look('garbage')).toBe(genuine);
  expect(warnings()).toBe(9);
  expect(await look()).toBe(genuine); // the bus lost it: nobody's fault
  expect(warnings()).toBe(9);
  list(true);
  for (let slot = 0; slot < 3; slot += 1) expect(await look('garbage')).toBe(genuine);
  const before = reads();
  for (let slot = 0; slot < 9; slot += 1) await attestor.look();
  expect(reads()).toBe(before); // evidence is large
  expect(await look('garbage')).toBe('garbage');
  await attestor.round(false, false);
  expect(stored.get(first)).toBe(genuine); // at a renewal it is looked at once more
  const renewed = stored.get(key());
  expect(await look('garbage')).toBe(renewed); // though a record lists it already
});

test('look() puts the enrolment back each few slots, and a round does at once', async () => {
  const { attestor, stored, list } = attestorOn({ connected: true });
  await attestor.onConnect();
  expect(stored.get(OF_ENROLMENT)).toEqual(ENROLMENT);
  await attestor.round(false, false);
  list(true);
  stored.set(OF_ENROLMENT, {});
  for (let slot = 0; slot < 6; slot += 1) await attestor.look();
  expect(stored.get(OF_ENROLMENT)).toEqual(ENROLMENT);
  stored.set(OF_ENROLMENT, {});
  await attestor.round(false, false);
  expect(stored.get(OF_ENROLMENT)).toEqual(ENROLMENT);
});

test('onConnect() gives the bus what was quoted anew while it was away', async () => {
  const bus = { connected: false };
  const { attestor, stored, key, warnings } = attestorOn(bus);
  await attestor.round(false, false);
  bus.connected = true;
  await attestor.onConnect();
  expect(stored.has(key())).toBe(true);
  expect(warnings()).toBe(0);
});
