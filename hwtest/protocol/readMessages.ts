// Vectors of messages as JSON (PROTOCOL 2 to 4.5): of each one that is taken, and what is refused of it by its
// members alone. Whether it is signed, and true, is decided elsewhere.
import { generateSealKey, sealTo } from '#agent/base/asymmetric.ts';
import { b64url, hex, utf8 } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { ED25519_ONLY, signDocument } from '#agent/base/signed.ts';
import { openDirectory } from '#agent/epochs/directory.ts';
import { readCredentialAnswer, readEndorseAnswer, readEnrolAsk } from '#agent/epochs/enrolAsk.ts';
import {
  isChallengeRequest,
  openJoin,
  readChallengeAnswer,
  readJoinAnswer,
} from '#agent/epochs/join.ts';
import { readLease } from '#agent/epochs/lease.ts';
import { openMeet, readMeetAnswer } from '#agent/epochs/meet.ts';
import { Members } from '#agent/epochs/members.ts';
import { openPresence } from '#agent/epochs/presence.ts';
import {
  entryHash,
  readChange,
  readEntry,
  readRows,
  type RosterEntry,
} from '#agent/epochs/roster.ts';
import { hpkeInfo, openEnvelope, openSecrets, type Envelope } from '#agent/epochs/sealed.ts';
import { parseStatement } from '#agent/epochs/statement.ts';
import { DELEGATION_KIND, readDelegation } from '#attest/delegation.ts';
import { endorsementSchema } from '#attest/endorsed.ts';
import { ENROLMENT_KIND, readEnrolment } from '#attest/enrolment.ts';
import { evidenceSchema } from '#attest/evidence.ts';
import { readRevocation } from '#attest/revocation.ts';
import { SOURCE, seed } from './cast.ts';
import { ASKED } from './enrolments.ts';
import { messages } from './messages.ts';
import { takenRecord } from './records.ts';
import { refusedChanges, type Change, type JsonObject } from './refusedMessages.ts';
import { entry, rosterOf } from './roster.ts';
import { SECRETS, envelope } from './sealed.ts';
import { SIGN, stated } from './statements.ts';
import type { Vector } from './vector.ts';

/** Where a message is described, and the product's own reading of one: false, undefined or an error refuses. */
interface Reading {
  readonly section: string;
  readonly read: (value: Json) => unknown;
}

/** What `open` makes of a payload that is rightly signed. */
const signedBriefly =
  (kind: string, open: (document: unknown, key: typeof SIGN.public) => unknown) =>
  (value: Json): unknown =>
    open(signDocument(kind, value, SIGN, ED25519_ONLY), SIGN.public);

async function readSecrets(value: Json): Promise<unknown> {
  const key = generateSealKey();
  const about: Envelope = await envelope();
  const { enc, ciphertext } = sealTo(
    key.public,
    hpkeInfo(about.recordHash, about.node, about.sid),
    jcs(value),
  );
  return openSecrets({ ...about, enc: b64url(enc), ciphertext: b64url(ciphertext) }, key);
}

const READINGS: Readonly<Record<string, Reading>> = {
  statement: { section: '2', read: (value) => parseStatement(jcs(value)) },
  evidence: { section: '3.1', read: (value) => evidenceSchema.safeParse(value).data },
  challenge: { section: '3.2', read: isChallengeRequest },
  challengeAnswer: { section: '3.2', read: readChallengeAnswer },
  join: { section: '3.2', read: signedBriefly('join', openJoin) },
  joinAnswer: { section: '3.2', read: readJoinAnswer },
  index: {
    section: '3.3',
    read: (value) => {
      const rows = readRows(value);
      return new Set(rows?.map(({ node }) => node)).size === rows?.length;
    },
  },
  change: { section: '3.3', read: readChange },
  entry: {
    section: '3.3',
    read: (value) => readEntry(value, entryHash(value as RosterEntry)),
  },
  workloads: { section: '3.6', read: signedBriefly('workloads', openDirectory) },
  revocation: {
    section: '3.8',
    read: (value) => readRevocation(signDocument('revocation', value, SIGN), [SIGN.public]),
  },
  lease: { section: '4.5', read: readLease },
  meet: { section: '3.9', read: signedBriefly('meet', openMeet) },
  meetAnswer: { section: '3.9', read: readMeetAnswer },
  enrolment: {
    section: '3.10',
    read: (value) => readEnrolment(signDocument(ENROLMENT_KIND, value, SIGN), [SIGN.public]),
  },
  'enrolment-delegation': {
    section: '3.10',
    read: (value) => readDelegation(signDocument(DELEGATION_KIND, value, SIGN), [SIGN.public]),
  },
  credentialAsk: { section: '3.10', read: (value) => readEnrolAsk(value)?.ask === 'credential' },
  credentialAnswer: { section: '3.10', read: readCredentialAnswer },
  endorseAsk: { section: '3.10', read: (value) => readEnrolAsk(value)?.ask === 'endorse' },
  endorseAnswer: { section: '3.10', read: readEndorseAnswer },
  endorsement: { section: '3.10', read: (value) => endorsementSchema.safeParse(value).data },
  'epoch-record': { section: '4.5', read: takenRecord },
  sealed: {
    section: '4.5',
    read: (value) => openEnvelope(signDocument('sealed', value, SIGN), SIGN.public),
  },
  secrets: { section: '4.5', read: readSecrets },
  presence: { section: '4.5', read: signedBriefly('presence', openPresence) },
};

async function isTaken(message: string, value: Json): Promise<boolean> {
  try {
    return Boolean(await READINGS[message]?.read(value));
  } catch (error) {
    if (!(error instanceof TidelockError)) throw error;
    return false;
  }
}

/** Messages that are taken. */
async function taken(): Promise<
  readonly (readonly [name: string, message: string, value: Json])[]
> {
  const conductor = { ...SOURCE };
  const random = b64url(seed('random'));
  const basis = hex(seed('basis'));
  const { node } = SOURCE;
  const answer = { v: 1, ok: true, reason: '' };
  const from = Members.of(rosterOf(3)).digest;
  const change = { v: 1, from, whole: false, put: [...rosterOf(2)], gone: ['node-10'] };
  return [
    ['', 'statement', await stated()],
    ['', 'evidence', EVIDENCE],
    ['', 'challenge', { v: 1, ask: 'challenge', node }],
    ['', 'challengeAnswer', { v: 1, conductor, basis, random }],
    ['', 'joinAnswer', answer],
    [', refused', 'joinAnswer', { v: 1, ok: false, reason: 'PCR 7 is not as enrolled' }],
    [', with chains', 'joinAnswer', { ...answer, sealed: { v: 1, kind: 'sealed' } }],
    ['', 'index', rosterOf(3)],
    [', of nobody', 'index', []],
    ['', 'change', change],
    ['', 'entry', await entry()],
    ['', 'lease', { v: 1, holder: conductor, term: 3, beat: 41 }],
    [', given up', 'lease', { v: 1, holder: null, term: 3, beat: 41 }],
    ['', 'meetAnswer', { v: 1, ok: true, reason: '' }],
    ...ASKED,
    ['', 'secrets', SECRETS],
    [', a root alone', 'secrets', { root: b64url(seed('root')), chains: [] }],
    ...(await messages()).map(
      ({ name, kind, payload }) => [name.slice(kind.length), kind, payload] as const,
    ),
  ];
}

/** Members of a message as far as they may go. */
const AT_LIMITS: Readonly<Record<string, JsonObject>> = {
  statement: { domain: 'd'.repeat(255), cluster: 'c'.repeat(63), algorithms: ids(64) },
  joinAnswer: { reason: 'r'.repeat(2000) },
  entry: { verdict: 'warning', level: 'tpm+cc', expiresAt: Number.MAX_SAFE_INTEGER },
  workloads: {
    lane: { address: '2001:db8::1', port: 65_535 },
    pods: [
      {
        uid: 'u'.repeat(128),
        ips: Array.from({ length: 16 }, (_, n) => `10.0.0.${n}`),
        spiffeId: 'spiffe://example.org/...',
        ports: Array.from({ length: 64 }, (_, n) => 65_535 - n),
      },
    ],
  },
  revocation: {
    domain: 'd'.repeat(255),
    cluster: 'c'.repeat(63),
    reason: 'r'.repeat(1000),
    issuedAt: 8_640_000_000_000_000,
    until: 8_640_000_000_000_000,
    revokedAt: 8_640_000_000_000_000,
  },
  enrolment: { domain: 'd'.repeat(255), issuedAt: 8_640_000_000_000_000 },
  'enrolment-delegation': {
    domain: 'd'.repeat(255),
    cluster: 'c'.repeat(63),
    nodes: Array.from({ length: 64 }, () => `${'n'.repeat(252)}*`),
    ekRoots: Array.from({ length: 16 }, () => b64url(seed('certificate', 30))),
    until: 8_640_000_000_000_000,
  },
  'epoch-record': { term: 2 ** 34, generation: 2 ** 27, epoch: 2 ** 27, periodMs: 60_000 },
  presence: { hop: 3, clockOffsetMs: 0.25, chains: [], withdrawn: 'w'.repeat(1000) },
};

/** The highest ids that a byte can say. */
function ids(count: number): number[] {
  return Array.from({ length: count }, (_, n) => 255 - n);
}

/** In form, not in truth: no TPM has signed it. */
const EVIDENCE = {
  v: 1,
  statement: b64url(utf8('{"v":1}')),
  challenge: { basis: hex(seed('basis')), random: b64url(seed('random')) },
  quote: { message: b64url(seed('quote', 145)), signature: b64url(seed('signature', 262)) },
  bank: 'sha256',
  pcrs: { 0: hex(seed('PCR 0')), 7: hex(seed('PCR 7')), 10: hex(seed('PCR 10')) },
  eventLog: '',
  akPublic: b64url(seed('attestation key', 280)),
  ekCertificate: b64url(seed('endorsement key certificate', 1000)),
};

export async function messageVectors(): Promise<Vector[]> {
  const usual = await taken();
  const first = new Map<string, Json>();
  for (const [, message, value] of usual) if (!first.has(message)) first.set(message, value);
  const extreme = Object.entries(AT_LIMITS).map(
    ([message, change]) =>
      [', at its limits', message, { ...(first.get(message) as JsonObject), ...change }] as const,
  );
  const vectors: Vector[] = [];
  for (const [what, message, value] of [...usual, ...extreme]) {
    if (!(await isTaken(message, value))) throw new Error(`refused: ${message}${what}`);
    vectors.push({
      name: `${message}${what}`,
      compute: 'readMessage',
      given: { message, value },
      expect: { jcs: jcs(value) },
    });
  }
  for (const change of refusedChanges()) vectors.push(await refused(change, first));
  return vectors;
}

async function refused(
  { name, message, change }: Change,
  first: ReadonlyMap<string, Json>,
): Promise<Vector> {
  const value = change(first.get(message) as JsonObject);
  if (await isTaken(message, value)) throw new Error(`not refused: ${message}: ${name}`);
  const section = READINGS[message]?.section;
  if (section === undefined) throw new Error(`no such message: ${message}`);
  return {
    name: `${message}: ${name}`,
    compute: 'readMessage',
    given: { message, value },
    refused: section,
  };
}
