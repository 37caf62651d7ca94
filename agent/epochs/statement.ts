// A node's keys of the present and the statement that names them (PROTOCOL 2). The keys are drawn
// at each start and each renewal and are never written anywhere.
import { z } from 'zod';
import {
  decodeSigningPublic,
  encodeSigningPublic,
  generateLaneKey,
  generateSealKey,
  generateSigningKey,
  type LaneKey,
  type SealKey,
  type SigningKey,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url, fromB64url, hex, sha256, truncate, type Bytes } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { b64Text, nodeName, parseAs } from '#agent/base/schema.ts';

const LANE_BYTES = 32;
const SEAL_BYTES = 1216;
const SIGN_BYTES = 32 + 1952;

const schema = z.strictObject({
  v: z.literal(1),
  domain: z.string().max(255),
  cluster: z.string().max(63),
  node: nodeName,
  sign: b64Text(SIGN_BYTES),
  lane: b64Text(LANE_BYTES),
  seal: b64Text(SEAL_BYTES),
  algorithms: z.array(z.int().min(0).max(255)).max(64),
  issuedAt: z.int().min(0),
  nonce: b64Text(16),
});

/** What a statement says, keys decoded. */
export interface Statement {
  readonly sid: Sid;
  /** JCS bytes, as hashed into the evidence. */
  readonly bytes: Bytes;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly sign: SigningPublic;
  /** X25519, 32 bytes. */
  readonly lane: Bytes;
  /** X-Wing, 1,216 bytes: only the first of a statement's one-use seal keys. */
  readonly seal: Bytes;
  /** CHIPS registry ids the node implements. */
  readonly algorithms: readonly number[];
  /** Unix milliseconds, by the node's own clock. */
  readonly issuedAtMs: number;
}

/** Keys whose public halves one statement names. */
export interface OwnStatement {
  readonly statement: Statement;
  readonly sign: SigningKey;
  readonly lane: LaneKey;
  /** The present one-use key: the first is in the statement, later ones in presences. */
  seal: SealKey;
}

/** `sid = T(16, SHA-256(statement))` in hex (PROTOCOL 2). */
export const sidOf = (statement: Bytes): Sid => hex(truncate(16, sha256(statement))) as Sid;

export interface StatementSubject {
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly algorithms: readonly number[];
  readonly issuedAtMs: number;
  /** 16 random bytes. */
  readonly nonce: Bytes;
}

/** Draws fresh node keys and states them. */
export function drawStatement(subject: StatementSubject): OwnStatement {
  const sign = generateSigningKey();
  const lane = generateLaneKey();
  const seal = generateSealKey();
  const bytes = jcs({
    v: 1,
    domain: subject.domain,
    cluster: subject.cluster,
    node: subject.node,
    sign: b64url(encodeSigningPublic(sign.public)),
    lane: b64url(lane.public),
    seal: b64url(seal.public),
    algorithms: subject.algorithms,
    issuedAt: subject.issuedAtMs,
    nonce: b64url(subject.nonce),
  });
  return { statement: parseStatement(bytes), sign, lane, seal };
}

/** Decodes statement bytes. Errors: DOCUMENT_MALFORMED. */
export function parseStatement(bytes: Bytes): Statement {
  const value = parseAs(schema, jsonOf(bytes), {
    code: 'DOCUMENT_MALFORMED',
    op: 'statement.parse',
    what: 'node statement',
    hint: 'The peer runs an incompatible version, or its evidence was damaged on the way.',
  });
  return {
    sid: sidOf(bytes),
    bytes,
    domain: value.domain,
    cluster: value.cluster,
    node: value.node,
    sign: decodeSigningPublic(fromB64url(value.sign)),
    lane: fromB64url(value.lane),
    seal: fromB64url(value.seal),
    algorithms: value.algorithms,
    issuedAtMs: value.issuedAt,
  };
}

function jsonOf(bytes: Bytes): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch {
    return undefined; // the schema then names the problem
  }
}
