// How a node gets itself endorsed, by members that answer as they should and by others that do not.
import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import { endorsementData, readEndorsed } from '#attest/endorsed.ts';
import {
  delegationOf,
  ekCertificate,
  ENDORSED_MS,
  ENDORSERS,
  endorsedBy,
  endorserOf,
  NEWCOMER,
  newcomerAk,
  PLACE,
  terms,
  type MadeEndorser,
} from '#attest/testdata/endorsed.ts';
import { readEnrolAsk } from './enrolAsk.ts';
import { Endorsements, type EndorsementOptions } from './endorsements.ts';
import { nodeToken, speakerOn, subjectsOf } from './subjects.ts';

const subjects = subjectsOf('test');
const SECRET = Buffer.alloc(32, 7);
const delegation = delegationOf();
const credential = { credentialBlob: 'AAAA', encryptedSecret: 'AAAA' };
const asked = { v: 1, ok: true, reason: '' } as const;

type Answering = (member: MadeEndorser, ask: NonNullable<ReturnType<typeof readEnrolAsk>>) => Json;

const honest: Answering = (member, ask) =>
  ask.ask === 'credential'
    ? { ...asked, credential }
    : { ...asked, endorsement: member.endorse(endorsementData(ask.payload, delegation)) };

function newcomer(
  members: ReadonlyMap<MadeEndorser, Answering | undefined>,
  change: Partial<EndorsementOptions> = {},
) {
  const time = { nowMs: ENDORSED_MS };
  const requests: string[] = [];
  const stored = new Map<string, Json>(
    [...members.keys()].map((each) => [nodeToken(each.node), each.document]),
  );
  const endorsements = new Endorsements({
    bus: {
      connected: true,
      subjects: (_stream, _count, filter) =>
        Promise.resolve([...stored.keys()].map((token) => filter?.replace('>', token) ?? '')),
      get: (_bucket, key) => {
        const value = stored.get(key);
        return Promise.resolve(value === undefined ? undefined : { value, revision: 1 });
      },
      request: (subject, value) => {
        const ask = readEnrolAsk(value);
        const found = [...members].find(([{ node }]) => subject === subjects.enrol(node, NEWCOMER));
        const [member, answer] = found ?? [];
        requests.push(`${member?.node} ${ask?.ask}`);
        expect(speakerOn(subject)).toBe(NEWCOMER);
        return member && answer && ask
          ? Promise.resolve(answer(member, ask))
          : Promise.reject(new Error('no responders'));
      },
    },
    subjects,
    tpm: {
      ekCertificate: () => Promise.resolve(ekCertificate),
      ensureAk: () => Promise.resolve({ publicArea: newcomerAk, name: Buffer.alloc(34) }),
      activateCredential: () => Promise.resolve(SECRET),
    },
    delegation: { document: delegation, delegation: delegation.payload },
    terms,
    clock: { wallMs: () => time.nowMs, monoMs: () => time.nowMs, after: () => () => undefined },
    random: () => 0.5,
    ...PLACE,
    node: NEWCOMER,
    ...change,
  });
  return { endorsements, requests, stored, time };
}

const [a, b] = ENDORSERS;
const both = new Map([
  [a, honest],
  [b, honest],
]);
const whyOf = async (endorsements: Endorsements): Promise<string> => {
  const found = await endorsements.round();
  return 'why' in found ? found.why : 'endorsed';
};

test('Endorsements makes of two members’ word a document that everybody takes', async () => {
  const { endorsements, requests } = newcomer(both);
  const document = await endorsements.round();
  const { enrolment, endorsers } = readEndorsed(document, terms);
  expect(enrolment).toMatchObject({ node: NEWCOMER, issuedAt: ENDORSED_MS, ...PLACE });
  expect(endorsers.map(({ node }) => node)).toEqual(['node-a', 'node-b']);
  expect(requests).toHaveLength(4);
});

test('Endorsements says who is missing, and keeps what it has for the next round', async () => {
  const members = new Map<MadeEndorser, Answering | undefined>([
    [a, honest],
    [b, undefined],
  ]);
  const { endorsements, requests, time } = newcomer(members);
  expect(await whyOf(endorsements)).toMatch(
    /^only node-a has endorsed it, and it takes 2 members .*: node-b: no responders$/,
  );
  members.set(b, honest);
  time.nowMs += 60_000;
  expect(await whyOf(endorsements)).toBe('endorsed');
  expect(requests.filter((each) => each.startsWith('node-a'))).toHaveLength(2);
});

test('Endorsements asks again for what is too old by now', async () => {
  const members = new Map<MadeEndorser, Answering | undefined>([
    [a, honest],
    [b, undefined],
  ]);
  const { endorsements, requests, time } = newcomer(members);
  await endorsements.round();
  time.nowMs += 5 * 60_000;
  await endorsements.round();
  expect(requests.filter((each) => each.startsWith('node-a'))).toHaveLength(4);
});

test.each<[string, Answering, RegExp]>([
  ['refuses', () => ({ v: 1, ok: false, reason: 'not you' }), /node-b: not you/],
  ['says nothing that can be read', () => ({ any: 'thing' }), /node-b: its answer cannot be read/],
  [
    'gives what another has signed',
    (_member, ask) => honest(a, ask),
    /node-b: it gave an endorsement of node-a/,
  ],
  [
    'endorses something else',
    (member, ask) =>
      ask.ask === 'credential'
        ? { ...asked, credential }
        : { ...asked, endorsement: member.endorse(Buffer.alloc(32)) },
    /node-b: Cannot accept .* quote of node-b does not hold/,
  ],
])('Endorsements is not endorsed by a member that %s', async (_what, answer, why) => {
  const { endorsements } = newcomer(
    new Map([
      [a, honest],
      [b, answer],
    ]),
  );
  expect(await whyOf(endorsements)).toMatch(why);
});

test('Endorsements asks nobody whom no owner has enrolled', async () => {
  const { endorsements, requests, stored } = newcomer(both);
  stored.set(nodeToken(b.node), endorsedBy());
  stored.set(nodeToken(a.node), { any: 'thing' });
  stored.set(nodeToken('node-d' as NodeName), a.document);
  stored.set('not-a-token', a.document);
  expect(await whyOf(endorsements)).toMatch(/^nobody whom an owner has enrolled is on the bus/);
  expect(requests).toEqual([]);
});

test('Endorsements asks on with another member where two are one TPM', async () => {
  const twin = endorserOf('node-aa', 'ECC');
  const { endorsements } = newcomer(
    new Map([
      [a, honest],
      [twin, honest],
      [b, honest],
    ]),
  );
  const document = await endorsements.round();
  expect(readEndorsed(document, terms).endorsers.map(({ node }) => node)).toEqual([
    'node-a',
    'node-b',
  ]);
});

test.each<[string, Partial<EndorsementOptions>, RegExp]>([
  ['no delegation covers', { node: 'node-x' as NodeName }, /covers node-c, worker-\*, not node-x/],
  ['has another maker’s TPM', { delegation: delegatedUnder('AAAA') }, /EK root of the delegation/],
])('Endorsements asks nobody for a node that %s', async (_what, change, why) => {
  const { endorsements, requests } = newcomer(both, change);
  expect(await whyOf(endorsements)).toMatch(why);
  expect(requests).toEqual([]);
});

test('Endorsements takes a credential that its TPM cannot open for a refusal', async () => {
  const { endorsements } = newcomer(both, {
    tpm: {
      ekCertificate: () => Promise.resolve(ekCertificate),
      ensureAk: () => Promise.resolve({ publicArea: newcomerAk, name: Buffer.alloc(34) }),
      activateCredential: () => Promise.reject(new Error('TPM_RC_INTEGRITY')),
    },
  });
  expect(await whyOf(endorsements)).toMatch(/^none has endorsed it.*node-a: TPM_RC_INTEGRITY/);
});

function delegatedUnder(ekRoot: string): EndorsementOptions['delegation'] {
  const document = delegationOf({ ekRoots: [ekRoot] });
  return { document, delegation: document.payload };
}
