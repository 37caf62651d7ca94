// PROTOCOL 9: alias, token and endorsement of a workload.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Cursor, field, hex, join, truncate, uint } from './bytes.ts';
import { publicHalf, signEd25519, verifies } from './keys.ts';
import { refuse } from './refused.ts';
import { isNodeName } from './statements.ts';
import type { Given, JsonObject, Rows } from './vectors.ts';

const VERSION = 1;
const SIGNATURE_BYTES = 64;
const NODE_MAX_BYTES = 253;
const SPIFFE_ID_MAX_BYTES = 512;
const NAME_MAX_BYTES = 128;
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._\-]{1,255}(?<path>(?:\/[A-Za-z0-9._\-]+)+)$/v;

const signedBytes = (label: string, body: Uint8Array): Uint8Array =>
  join(label, Uint8Array.of(0), body);
const tokenSigned = (body: Uint8Array): Uint8Array => signedBytes('tidelock/maid/v1', body);
const endorsementSigned = (body: Uint8Array): Uint8Array =>
  signedBytes('tidelock/endorsement/v1', body);

const tokenBody = (given: Given): Uint8Array =>
  join(
    Uint8Array.of(VERSION),
    uint(8, given.number('slot')),
    given.bytes('alias'),
    given.bytes('sid'),
    given.bytes('evidenceDigest'),
    given.bytes('prev'),
    given.bytes('history'),
    field(given.text('node')),
    field(given.text('spiffeId')),
    field(given.text('podUid')),
    field(given.text('imageDigest')),
  );

const endorsementBody = (given: Given): Uint8Array =>
  join(
    Uint8Array.of(VERSION),
    given.bytes('workloadKey'),
    given.bytes('sid'),
    field(given.text('spiffeId')),
    field(given.text('podUid')),
  );

/** Whether a text is a SPIFFE ID, no segment of whose path is a dot or two. */
export function isSpiffeId(text: string): boolean {
  const segments = SPIFFE_ID.exec(text)?.groups?.['path']?.split('/');
  return segments?.every((segment) => segment !== '.' && segment !== '..') ?? false;
}

/** The workload that a body names; an unfit name is refused. */
function takeWorkload(cursor: Cursor): { readonly spiffeId: string; readonly podUid: string } {
  const spiffeId = cursor.text(SPIFFE_ID_MAX_BYTES);
  const podUid = cursor.text(NAME_MAX_BYTES);
  if (!isSpiffeId(spiffeId)) refuse('9', 'it is no SPIFFE ID');
  if (podUid === '') refuse('9', 'the podUid is empty');
  return { spiffeId, podUid };
}

/** The body and the signature that follows it. */
const splitSignature = (signed: Uint8Array): readonly [Uint8Array, Uint8Array] => [
  signed.slice(0, -SIGNATURE_BYTES),
  signed.slice(-SIGNATURE_BYTES),
];

/** A cursor behind the version of a body. */
function behindVersion(body: Uint8Array): Cursor {
  const cursor = new Cursor(body, '9');
  if (cursor.uint(1) !== VERSION) refuse('9', 'another version');
  return cursor;
}

/** Refuses what follows the last text of a body. */
function endOfBody(cursor: Cursor): void {
  if (cursor.rest().length > 0) refuse('9', 'bytes behind the last text');
}

interface Endorsement {
  readonly workloadKey: Uint8Array;
  readonly sid: string;
  readonly spiffeId: string;
  readonly podUid: string;
}

function readEndorsement(endorsement: Uint8Array, nodeKey: Uint8Array): Endorsement {
  const [body, signature] = splitSignature(endorsement);
  const cursor = behindVersion(body);
  const workloadKey = cursor.take(32);
  const sid = hex(cursor.take(16));
  const workload = takeWorkload(cursor);
  endOfBody(cursor);
  if (!verifies('ed25519', nodeKey, endorsementSigned(body), signature)) {
    refuse('9', 'a wrong signature of the endorsement');
  }
  return { workloadKey, sid, ...workload };
}

/** What a token says, by the key that its endorsement names. */
function readToken(
  token: Uint8Array,
  workloadKey: Uint8Array,
): JsonObject & Pick<Endorsement, 'sid' | 'spiffeId' | 'podUid'> {
  const [body, signature] = splitSignature(token);
  const cursor = behindVersion(body);
  const claims = {
    slot: cursor.uint(8),
    alias: hex(cursor.take(16)),
    sid: hex(cursor.take(16)),
    evidenceDigest: hex(cursor.take(32)),
    prev: hex(cursor.take(32)),
    history: hex(cursor.take(32)),
    node: cursor.text(NODE_MAX_BYTES),
    ...takeWorkload(cursor),
    imageDigest: cursor.text(NAME_MAX_BYTES),
  };
  endOfBody(cursor);
  if (!isNodeName(claims.node)) refuse('9', 'it is no name of a node');
  if (!verifies('ed25519', workloadKey, tokenSigned(body), signature)) {
    refuse('9', 'a wrong signature of the token');
  }
  return claims;
}

/** The rows of section 9. */
export const maidRows: Rows = {
  alias: (given) => {
    const tag = hmac(sha256, given.bytes('aliasSecret'), uint(8, given.number('slot')));
    return { alias: hex(truncate(16, tag)) };
  },
  token: (given) => {
    const seed = given.bytes('workloadSeed');
    const body = tokenBody(given);
    return {
      workloadKey: hex(publicHalf('ed25519', seed)),
      token: hex(join(body, signEd25519(seed, tokenSigned(body)))),
    };
  },
  endorsement: (given) => {
    const seed = given.bytes('nodeSeed');
    const body = endorsementBody(given);
    return {
      nodeKey: hex(publicHalf('ed25519', seed)),
      endorsement: hex(join(body, signEd25519(seed, endorsementSigned(body)))),
    };
  },
  readMaid: (given) => {
    const endorsed = readEndorsement(given.bytes('endorsement'), given.bytes('nodeKey'));
    const claims = readToken(given.bytes('token'), endorsed.workloadKey);
    for (const name of ['spiffeId', 'podUid', 'sid'] as const) {
      if (claims[name] !== endorsed[name]) refuse('9', `they name two of ${name}`);
    }
    return { ...claims, workloadKey: hex(endorsed.workloadKey) };
  },
};
