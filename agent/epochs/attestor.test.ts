// Tests of attestation rounds that concern the bus: what is drawn while it is away serves nobody.
import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { Attestor } from './attestor.ts';
import { appraisalOf, stillClock } from './records.fixture.ts';
import { parseStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const NODE = 'node-a' as NodeName;

/** Nobody conducts; the bus keeps what it is given while `bus.connected`. */
function attestorOn(bus: { connected: boolean }) {
  const stored: string[] = [];
  const attested: Sid[] = [];
  const attestor = new Attestor({
    bus: {
      get connected() {
        return bus.connected;
      },
      put: async (_bucket, key) => {
        if (bus.connected) stored.push(key);
        return bus.connected;
      },
      get: () => Promise.resolve(undefined),
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
    collect: async (statement) => Buffer.from(statement).toString('hex'),
    clock: stillClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    random: (bytes) => Buffer.alloc(bytes, stored.length + attested.length),
    domain: 'example.org',
    cluster: 'c',
    node: NODE,
    algorithms: [1],
    basis: () => '0'.repeat(64),
    onAttested: ({ statement }) => void attested.push(statement.sid),
    leading: () => false,
  });
  return { attestor, stored, sid: () => attestor.current?.statement.sid };
}

test('round() uses a new statement once the bus has its evidence', async () => {
  const bus = { connected: true };
  const { attestor, stored, sid } = attestorOn(bus);
  await attestor.round(false, false);
  const first = sid();
  expect(stored).toEqual([`evidence.${first}`]);
  bus.connected = false; // the bus goes away within the round, or just before
  expect(await attestor.round(false, false)).toMatchObject({ outcome: 'attested', stored: false });
  expect(sid()).toBe(first);
  bus.connected = true;
  expect(await attestor.round(false, false)).toMatchObject({ outcome: 'attested', stored: true });
  expect(sid()).not.toBe(first);
  expect(stored).toEqual([`evidence.${first}`, `evidence.${sid()}`]);
});

test('round() with reuse asks the TPM again about the statement in use', async () => {
  const { attestor, sid } = attestorOn({ connected: false });
  await attestor.round(false, false);
  const first = sid();
  expect(first).toBeDefined(); // the first one is better than none
  expect(await attestor.round(true, false)).toMatchObject({ outcome: 'attested', stored: false });
  expect(sid()).toBe(first);
});
