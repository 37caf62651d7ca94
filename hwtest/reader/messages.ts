// PROTOCOL 2 to 4.5: the members of every message that travels as JSON, and the section that describes it. Who
// signed a message, and whether it is true, is no matter of its members.
import { hex } from './bytes.ts';
import { algorithmOf } from './chains.ts';
import {
  address,
  anyNumber,
  bytesOf,
  either,
  hexOf,
  integer,
  list,
  natural,
  object,
  oneOf,
  record,
  text,
  textThat,
  truth,
  type Form,
} from './forms.ts';
import { jcs } from './jcs.ts';
import { isSpiffeId } from './maid.ts';
import { refuse, Refused } from './refused.ts';
import { isNodeName } from './statements.ts';
import { isObject, type Json, type Rows } from './vectors.ts';

const v = oneOf(1);
const node = textThat(isNodeName);
const sid = hexOf(16);
const digest = hexOf(32);
const count = integer(1, 2 ** 40);
const periodMs = integer(1000, 60_000);
const port = integer(1, 65_535);
const unixMs = integer(0, 8_640_000_000_000_000);
const domain = text(0, 255);
const cluster = text(0, 63);
const nothing = oneOf(null);
const sealPublic = bytesOf(1216);
const end = object({ node, sid });

/** An id of 4.4. */
const algorithm: Form = (value) => {
  if (typeof value !== 'number') return false;
  try {
    return algorithmOf(value).suite > 0;
  } catch (cause) {
    if (cause instanceof Refused) return false;
    throw cause;
  }
};

/** A generation begins with a root and without a parent, and goes on the other way round. */
const goesWithKind = ({ kind, parent, rootCommit }: { readonly [name: string]: Json }): boolean =>
  kind === 'epoch'
    ? parent !== null && rootCommit === undefined
    : parent === null && rootCommit !== undefined;

/** A quarantine ends no sooner than it begins, and it alone repeats a revocation. */
const endsInOrder = ({ issuedAt, until, revokedAt }: { readonly [name: string]: Json }): boolean =>
  until === undefined ? revokedAt === undefined : Number(until) >= Number(issuedAt);

const kind = oneOf('epoch', 'heal', 'revoke');

const sealedChain = object({
  chainId: hexOf(16),
  generation: count,
  term: count,
  epoch: count,
  recordHash: digest,
  rosterDigest: digest,
  conductor: node,
  atSlot: natural,
  periodMs,
  algorithm,
  begins: kind,
  slot: natural,
  key: bytesOf(32),
});

const isRegister = (name: string): boolean => /^(?:\d|1\d|2[0-3])$/v.test(name);

const isFilled = (value: Json): boolean => Array.isArray(value) && value.length > 0;

const areOnce = (rows: Json): boolean => {
  const nodes = Array.isArray(rows) ? rows.map((row) => isObject(row) && row['node']) : [];
  return new Set(nodes).size === nodes.length;
};
const index = list(object({ node, sid, entry: digest }), 2_000);

const label =
  (max: number): Form =>
  (value) =>
    text(1, max)(value) && textThat((name) => /^[a-z0-9._\-]+$/v.test(name))(value);
/** Register 10 has no value that stays. */
const values = record((name) => isRegister(name) && name !== '10', hexOf(32, 64));
const reference = object({ bank: oneOf('sha256', 'sha384', 'sha512'), pcrs: values });
const namePattern = textThat((name) =>
  name.endsWith('*') ? isNodeName(`${name.slice(0, -1)}0`) && name !== '*' : isNodeName(name),
);
const enrolment = object({
  v,
  domain: label(255),
  cluster: label(255),
  node,
  ekDigest: digest,
  akName: hexOf(34),
  reference,
  issuedAt: unixMs,
});
const tpmBytes = bytesOf(0, 2 << 10);
const endorsement = object({
  enrolment: isObject,
  quote: object({ message: tpmBytes, signature: tpmBytes }),
  pcrs: record(isRegister, hexOf(32, 64)),
  akPublic: tpmBytes,
});
const reason = text(0, 2000);

/** Messages by their names in PROTOCOL 13: the section that describes each, and its form. */
const MESSAGES: Readonly<Record<string, readonly [section: string, form: Form]>> = {
  statement: [
    '2',
    object({
      v,
      domain,
      cluster,
      node,
      sign: bytesOf(32 + 1952),
      lane: bytesOf(32),
      seal: sealPublic,
      algorithms: list(integer(0, 255), 64),
      issuedAt: natural,
      nonce: bytesOf(16),
    }),
  ],
  evidence: [
    '3.1',
    object({
      v,
      statement: bytesOf(0, 12 << 10),
      challenge: object({ basis: digest, random: bytesOf(32) }),
      quote: object({ message: bytesOf(0, 2 << 10), signature: bytesOf(0, 2 << 10) }),
      bank: oneOf('sha256', 'sha384', 'sha512'),
      pcrs: record(isRegister, hexOf(20, 64)),
      eventLog: bytesOf(0, 512 << 10),
      akPublic: bytesOf(0, 2 << 10),
      ekCertificate: bytesOf(0, 8 << 10),
    }),
  ],
  challenge: ['3.2', object({ v, ask: oneOf('challenge'), node })],
  challengeAnswer: ['3.2', object({ v, conductor: end, basis: digest, random: bytesOf(32) })],
  join: [
    '3.2',
    object({ v, ask: oneOf('admit', 'resync'), node, sid, seal: sealPublic, needsChains: truth }),
  ],
  joinAnswer: ['3.2', object({ v, ok: truth, reason: text(0, 2000), 'sealed?': isObject })],
  index: ['3.3', (value) => index(value) && areOnce(value)],
  change: ['3.3', object({ v, from: digest, whole: truth, put: index, gone: list(node, 2_000) })],
  entry: [
    '3.3',
    object({
      v,
      statement: bytesOf(0, 8 << 10),
      evidenceDigest: digest,
      verdict: oneOf('affirming', 'warning'),
      level: oneOf('tpm', 'tpm+cc'),
      receipt: object({ conductor: sid, at: natural }),
      expiresAt: natural,
    }),
  ],
  workloads: [
    '3.6',
    object({
      v,
      node,
      sid,
      seq: natural,
      lane: object({ address, port }),
      pods: list(
        object({
          uid: text(1, 128),
          ips: list(address, 16),
          spiffeId: textThat(isSpiffeId),
          ports: list(port, 64),
        }),
        1024,
      ),
    }),
  ],
  meet: ['3.9', object({ v, node, sid, to: node, slot: natural })],
  meetAnswer: ['3.9', object({ v, ok: truth, reason: text(0, 2000) })],
  enrolment: ['3.10', enrolment],
  'enrolment-delegation': [
    '3.10',
    object(
      {
        v,
        domain: label(255),
        cluster: label(63),
        issuedAt: unixMs,
        until: unixMs,
        nodes: (value) => list(namePattern, 64)(value) && isFilled(value),
        ekRoots: (value) => list(bytesOf(0, 4 << 10), 16)(value) && isFilled(value),
        reference,
      },
      ({ issuedAt, until }) => Number(until) >= Number(issuedAt),
    ),
  ],
  credentialAsk: [
    '3.10',
    object({
      v,
      ask: oneOf('credential'),
      node,
      ekCertificate: bytesOf(0, 8 << 10),
      akPublic: tpmBytes,
    }),
  ],
  credentialAnswer: [
    '3.10',
    object({
      v,
      ok: truth,
      reason,
      'credential?': object({ credentialBlob: tpmBytes, encryptedSecret: tpmBytes }),
    }),
  ],
  endorseAsk: [
    '3.10',
    object({ v, ask: oneOf('endorse'), node, secret: bytesOf(32), payload: enrolment }),
  ],
  endorseAnswer: ['3.10', object({ v, ok: truth, reason, 'endorsement?': endorsement })],
  endorsement: ['3.10', endorsement],
  revocation: [
    '3.8',
    object(
      {
        v,
        domain: text(1, 255),
        cluster: text(1, 63),
        node,
        reason: text(1, 1000),
        issuedAt: unixMs,
        'until?': unixMs,
        'revokedAt?': unixMs,
      },
      endsInOrder,
    ),
  ],
  lease: ['4.5', object({ v, holder: either(end, nothing), term: natural, beat: natural })],
  'epoch-record': [
    '4.5',
    object(
      {
        v,
        domain,
        cluster,
        term: count,
        generation: count,
        kind,
        epoch: count,
        parent: either(hexOf(16), nothing),
        atSlot: natural,
        periodMs,
        beacon: bytesOf(32),
        algorithm,
        'rootCommit?': digest,
        rosterDigest: digest,
        prev: either(digest, nothing),
        conductor: end,
      },
      goesWithKind,
    ),
  ],
  sealed: [
    '4.5',
    object({
      v,
      recordHash: digest,
      conductor: end,
      node,
      sid,
      sealKey: hexOf(8),
      slot: natural,
      enc: bytesOf(1120),
      ciphertext: bytesOf(0, 256 << 10),
    }),
  ],
  secrets: ['4.5', object({ 'root?': bytesOf(32), chains: list(sealedChain, 2048) })],
  presence: [
    '4.5',
    object({
      v,
      node,
      sid,
      seq: natural,
      nextSeal: sealPublic,
      chains: list(object({ chainId: hexOf(16), slot: natural, check: bytesOf(8) }), 4),
      clockOffsetMs: anyNumber,
      hop: integer(0, 3),
      'withdrawn?': text(1, 1000),
    }),
  ],
};

/** The row of messages as JSON. */
export const messageRows: Rows = {
  readMessage: (given) => {
    const value = given.json('value');
    const message = MESSAGES[given.text('message')];
    if (message === undefined) throw new TypeError(`no message ${given.text('message')}`);
    const [section, form] = message;
    return form(value)
      ? { jcs: hex(jcs(value)) }
      : refuse(section, 'another member, or form of one');
  },
};
