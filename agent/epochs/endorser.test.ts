// Whom a member endorses and whom not; that a real TPM opens its credentials is tested with some (attest/endorse.hw.test.ts).
import { describe, expect, it, test } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { readEndorsed, endorsementData, readEndorsement } from '#attest/endorsed.ts';
import type { Enrolment } from '#attest/enrolment.ts';
import type { Revocation } from '#attest/revocation.ts';
import { makeAk } from '#attest/testdata/quote.ts';
import { ATTRIBUTE } from '#attest/tpm/public.ts';
import {
  delegationOf,
  ekCertificate,
  ekCertificateBy,
  ENDORSED_MS,
  ENDORSERS,
  endorsedBy,
  endorserOf,
  newcomerAk,
  NEWCOMER,
  payloadOf,
  REFERENCE,
  stranger,
  terms,
} from '#attest/testdata/endorsed.ts';
import { readCredentialAnswer, readEndorseAnswer } from './enrolAsk.ts';
import { Endorser, type EndorserOptions } from './endorser.ts';
import { Enrolments } from './enrolments.ts';
import { Members } from './members.ts';
import { keptLog } from './records.fixture.ts';
import { subjectsOf } from './subjects.ts';

const subjects = subjectsOf('test');
const [, self] = ENDORSERS;
const SECRET = Buffer.alloc(32, 7);
const payload = payloadOf();
const REVOKED = {
  v: 1,
  domain: 'example.org',
  cluster: 'test',
  node: NEWCOMER,
  reason: 'lost',
} as const;

const LISTED = { node: NEWCOMER, sid: '0'.repeat(32) as Sid, entry: '0'.repeat(64) };

const credentialFor = (node: string) => ({
  v: 1,
  ask: 'credential',
  node,
  ekCertificate: b64url(ekCertificate),
  akPublic: b64url(newcomerAk),
});

/** What surrounds a member, as a test changes it. */
interface Surroundings {
  stored: Json | undefined;
  isBusBlind: boolean;
  readonly revoked: Map<string, Revocation>;
  nowMs: number;
  quotes: number;
  gate: Promise<void> | undefined;
}

function memberOf(change: Partial<EndorserOptions> = {}) {
  const around: Surroundings = {
    stored: undefined,
    isBusBlind: false,
    revoked: new Map(),
    nowMs: ENDORSED_MS,
    quotes: 0,
    gate: undefined,
  };
  const clock = {
    wallMs: () => around.nowMs,
    monoMs: () => around.nowMs,
    after: () => () => undefined,
  };
  const enrolments = new Enrolments({
    ...terms,
    domain: 'example.org',
    cluster: 'test',
    takesEndorsed: true,
    enrolmentOf: () => Promise.resolve(around.stored),
    revocationOf: (node) => around.revoked.get(node),
    clock,
  });
  let hear: (value: unknown, asked: string) => Promise<Json | undefined> = () =>
    Promise.resolve(undefined);
  const { log, lines } = keptLog();
  const delegation = delegationOf();
  const endorser = new Endorser({
    bus: {
      respond: (_subject, handler) => {
        hear = handler;
        return () => undefined;
      },
      subjects: () =>
        Promise.resolve(around.isBusBlind ? undefined : around.stored === undefined ? [] : ['it']),
      get: () =>
        Promise.resolve(
          around.stored === undefined ? undefined : { value: around.stored, revision: 1 },
        ),
    },
    subjects,
    delegation: { document: delegation, delegation: delegation.payload },
    enrolment: self.enrolment,
    terms,
    endorse: async (binding) => {
      around.quotes += 1;
      await around.gate;
      return self.endorse(binding);
    },
    attestor: { current: {}, state: { verdict: 'affirming' } },
    own: { listed: [{}] },
    follower: { roster: Members.of([]) },
    examiner: {
      enrolmentOf: (node) => enrolments.of(node),
      seenEnrolment: (node) => enrolments.seen(node),
    },
    revocations: { of: (node) => around.revoked.get(node) },
    clock,
    log,
    random: () => Buffer.from(SECRET),
    node: self.node,
    ...change,
  });
  endorser.start();
  const ask = (value: Json, from: string = NEWCOMER): Promise<Json | undefined> =>
    hear(value, subjects.enrol(self.node, from as NodeName));
  const credential = async (more: Record<string, Json> = {}) =>
    readCredentialAnswer(await ask({ ...credentialFor(NEWCOMER), ...more }));
  const endorse = async (more: Record<string, Json> = {}, on: Partial<Enrolment> = {}) =>
    readEndorseAnswer(
      await ask({
        v: 1,
        ask: 'endorse',
        node: NEWCOMER,
        secret: b64url(SECRET),
        payload: { ...payload, ...on },
        ...more,
      }),
    );
  return { around, enrolments, lines, ask, credential, endorse, delegation };
}

test('Endorser endorses what its TPM vouches for, for who opens the credential', async () => {
  const { credential, endorse, delegation, lines } = memberOf();
  expect(await credential()).toMatchObject({ ok: true, reason: '' });
  const answer = await endorse();
  expect(answer).toMatchObject({ ok: true });
  const given = answer?.endorsement;
  if (!given) throw new Error('no endorsement');
  const binding = endorsementData(payload, delegation);
  expect(readEndorsement(given, binding, terms).node).toBe('node-b');
  const [a] = ENDORSERS;
  const document = endorsedBy({ payload, delegation });
  const whole = { ...document, endorsements: [a.endorse(binding), given] };
  expect(readEndorsed(whole, terms).enrolment.node).toBe(NEWCOMER);
  expect(lines.map(({ event }) => event)).toEqual(['endorsement.given']);
});

describe('Endorser makes no credential', () => {
  const owners = endorserOf(NEWCOMER, 'RSA').document;
  const nobody = generateSigningKey();
  const weak = makeAk('ECC', ATTRIBUTE.sign | ATTRIBUTE.fixedTPM).area;

  it.each<[string, (around: Surroundings) => void, RegExp]>([
    [
      'for a name that an owner has enrolled',
      (it) => (it.stored = owners),
      /an owner has enrolled/,
    ],
    ['where the bus does not say', (it) => (it.isBusBlind = true), /the bus does not say/],
    [
      'for a name that is enrolled with another TPM',
      (it) => (it.stored = endorsedBy({ payload: payloadOf({ akName: `000b${'7'.repeat(64)}` }) })),
      /enrolled with another TPM/,
    ],
    [
      'for a node that an owner has revoked',
      (it) => it.revoked.set(NEWCOMER, { ...REVOKED, issuedAt: 1 }),
      /revoked by an owner/,
    ],
    [
      'for a node in quarantine',
      (it) => it.revoked.set(NEWCOMER, { ...REVOKED, issuedAt: 1, until: ENDORSED_MS + 1 }),
      /quarantined by an owner/,
    ],
    [
      'for a node that was revoked before a quarantine',
      (it) => it.revoked.set(NEWCOMER, { ...REVOKED, issuedAt: 2, until: 2, revokedAt: 1 }),
      /revoked by an owner/,
    ],
    ['before the delegation', (it) => (it.nowMs -= 90_000_000), /the delegation begins/],
    ['after the delegation', (it) => (it.nowMs += 90_000_000), /the delegation ended/],
  ])('%s', async (_what, change, why) => {
    const { around, credential, lines } = memberOf();
    change(around);
    expect(await credential()).toMatchObject({
      ok: false,
      reason: expect.stringMatching(why) as string,
    });
    expect(lines.map(({ event }) => event)).toEqual(['endorsement.refused']);
  });

  it('for a name that an owner has enrolled, when the bus has forgotten it', async () => {
    const { around, enrolments, credential } = memberOf();
    around.stored = owners;
    await enrolments.of(NEWCOMER);
    around.stored = undefined;
    expect((await credential())?.reason).toMatch(/an owner has enrolled/);
  });

  it.each<[string, Partial<EndorserOptions>, RegExp]>([
    [
      'while it is not attested',
      {
        attestor: { current: {}, state: { verdict: 'contraindicated' } },
      },
      /not a member itself/,
    ],
    ['while no record lists it', { own: { listed: [] } }, /not a member itself/],
    ['for a member', { follower: { roster: Members.of([LISTED]) } }, /is a member now/],
    [
      'for a name that the delegation does not cover',
      { delegation: delegatedTo(['node-d']) },
      /covers node-d, not node-c/,
    ],
    ['for itself', { node: NEWCOMER }, /does not endorse itself/],
  ])('%s', async (_what, change, why) => {
    expect((await memberOf(change).credential())?.reason).toMatch(why);
  });

  it.each<[string, Record<string, Json>, RegExp]>([
    [
      'for a TPM of another maker',
      { ekCertificate: b64url(ekCertificateBy(stranger)) },
      /not by a maker of the delegation/,
    ],
    ['for a certificate that is none', { ekCertificate: 'AAAA' }, /Cannot read certificate/],
    ['for a key that signs anything', { akPublic: b64url(weak) }, /not restricted/],
    ['for a key that is none', { akPublic: 'AAAA' }, /TPMT_PUBLIC/],
  ])('%s', async (_what, more, why) => {
    expect((await memberOf().credential(more))?.reason).toMatch(why);
  });

  it.each<[string, Json]>([
    ['by nobody whom owners know', endorserOf(NEWCOMER, 'RSA', {}, nobody).document],
    ['of another node', endorsedBy({ payload: payloadOf({ node: 'worker-1' as NodeName }) })],
    ['that is none', { any: 'thing' }],
  ])('over an enrolment on the bus %s', async (_what, stored) => {
    const { around, credential } = memberOf();
    around.stored = stored;
    expect((await credential())?.reason).toMatch(/by no owner and by no two agents/);
  });
});

test('Endorser endorses a node again whose enrolment by two counts no more, with the same TPM alone', async () => {
  const { around, credential } = memberOf();
  const word = { ...REVOKED, node: 'node-a' as NodeName, issuedAt: ENDORSED_MS };
  around.revoked.set('node-a', word);
  around.stored = endorsedBy();
  expect(await credential()).toMatchObject({ ok: true });
  around.stored = endorsedBy({ payload: payloadOf({ akName: `000b${'7'.repeat(64)}` }) });
  expect((await credential())?.reason).toMatch(/enrolled with another TPM/);
});

function delegatedTo(nodes: string[]): EndorserOptions['delegation'] {
  const document = delegationOf({ nodes });
  return { document, delegation: document.payload };
}

describe('Endorser endorses nothing', () => {
  it('without a credential', async () => {
    expect((await memberOf().endorse())?.reason).toMatch(/no credential is out/);
  });

  it('for a wrong secret, nor for the right one after it', async () => {
    const { credential, endorse, around } = memberOf();
    await credential();
    const wrong = await endorse({ secret: b64url(Buffer.alloc(32, 8)) });
    expect(wrong?.reason).toMatch(/does not hold both keys/);
    expect((await endorse())?.reason).toMatch(/no credential is out/);
    expect(around.quotes).toBe(0);
  });

  it('twice for one secret', async () => {
    const { credential, endorse } = memberOf();
    await credential();
    await endorse();
    expect((await endorse())?.reason).toMatch(/no credential is out/);
  });

  it('for a secret of more than a minute ago', async () => {
    const { credential, endorse, around } = memberOf();
    await credential();
    around.nowMs += 60_001;
    expect((await endorse({}, { issuedAt: around.nowMs }))?.reason).toMatch(/no credential is out/);
  });

  it('for the credential of another', async () => {
    const { credential, ask } = memberOf();
    await credential();
    const value = { v: 1, ask: 'endorse', node: 'worker-1', secret: b64url(SECRET), payload };
    const answer = readEndorseAnswer(await ask(value, 'worker-1'));
    expect(answer?.reason).toMatch(/no credential is out/);
  });

  it.each<[string, Partial<Enrolment>, RegExp]>([
    ['of another node', { node: 'worker-1' as NodeName }, /of another node/],
    ['of another domain', { domain: 'example.net' }, /for another cluster/],
    ['of another cluster', { cluster: 'other' }, /for another cluster/],
    ['of another TPM', { ekDigest: '0'.repeat(64) }, /of another TPM or another key/],
    ['of another key', { akName: '0'.repeat(68) }, /of another TPM or another key/],
    ['of another boot state', { reference: { ...REFERENCE, pcrs: {} } }, /not those of the deleg/],
    ['of a clock that is ahead', { issuedAt: ENDORSED_MS + 300_001 }, /not of now/],
    ['of a clock that is behind', { issuedAt: ENDORSED_MS - 300_001 }, /not of now/],
  ])('that is an enrolment %s', async (_what, change, why) => {
    const { credential, endorse, around } = memberOf();
    await credential();
    expect((await endorse({}, change))?.reason).toMatch(why);
    expect(around.quotes).toBe(0);
  });

  it('that nobody would take: its registers moved', async () => {
    const moved = new Map([0, 4, 7].map((pcr) => [pcr, Buffer.alloc(32, 9)]));
    const { credential, endorse } = memberOf({
      endorse: (binding) => Promise.resolve(self.endorse(binding, moved)),
    });
    await credential();
    const answer = await endorse();
    expect(answer?.endorsement).toBeUndefined();
    expect(answer?.reason).toMatch(/not as enrolled when it endorsed: PCR 0, 4, 7/);
  });

  it('while its TPM endorses another', async () => {
    const { credential, endorse, ask, around } = memberOf();
    let open: () => void = () => undefined;
    around.gate = new Promise((resolve) => (open = resolve));
    await credential();
    const first = endorse();
    await ask(credentialFor('worker-1'), 'worker-1');
    const asked = { v: 1, ask: 'endorse', node: 'worker-1', secret: b64url(SECRET) };
    const second = await ask({ ...asked, payload: { ...payload, node: 'worker-1' } }, 'worker-1');
    expect(readEndorseAnswer(second)?.reason).toMatch(/too many/);
    open();
    expect(await first).toMatchObject({ ok: true });
    expect(around.quotes).toBe(1);
  });
});

describe('Endorser hears', () => {
  const other = (node: string): Json => ({ v: 1, ask: 'credential', node });

  it('nobody in the name of another', async () => {
    const { ask, credential } = memberOf();
    expect(await credential({ node: 'worker-1' })).toBeUndefined();
    expect(await ask(other(NEWCOMER), 'worker-1')).toBeUndefined();
  });

  it('what is a request, and nothing else', async () => {
    const { ask } = memberOf();
    for (const value of [null, 1, [], {}, other(NEWCOMER), { v: 1, ask: 'admit', node: NEWCOMER }])
      expect(await ask(value)).toBeUndefined();
  });

  it('six requests of a node in a minute, whatever another asks', async () => {
    const { credential, ask, around } = memberOf();
    for (let n = 0; n < 200; n += 1) await ask(other('worker-1'), 'worker-1');
    for (let n = 0; n < 6; n += 1) expect(await credential()).toMatchObject({ ok: true });
    expect(await credential()).toBeUndefined();
    around.nowMs += 60_000;
    expect(await credential()).toMatchObject({ ok: true });
  });

  it('sixty requests of all in a minute', async () => {
    const { ask, credential } = memberOf();
    for (let n = 0; n < 60; n += 1) await ask(other(`worker-${n}`), `worker-${n}`);
    expect(await credential()).toBeUndefined();
  });

  it('two wishes for a quote of a node in a minute', async () => {
    const { credential, endorse, around } = memberOf();
    for (let n = 0; n < 3; n += 1) {
      await credential();
      await endorse();
    }
    expect(around.quotes).toBe(2);
  });
});
