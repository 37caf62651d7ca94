// Epoch records (PROTOCOL 4): what the conductor announces once a slot, and their one order.
import { z } from 'zod';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { slotPlus, type ChainId, type NodeName, type Slot } from '#agent/base/brands.ts';
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { b64Text, chainId, nodeName, parseAs, sid, slot } from '#agent/base/schema.ts';
import {
  documentHash,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { chainIdOf } from '#proxy/chips/chain.ts';

const KIND = 'epoch-record';
/** Far more than can be lived through, and far from where numbers stop being exact. */
const MAX_COUNT = 2 ** 40;
/** A term, generation or epoch. */
export const recordCount = z.int().min(1).max(MAX_COUNT);
/** Slots of a chain last from one second to a minute. */
export const recordPeriodMs = z.int().min(1000).max(60_000);
const HEX32 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits');

const schema = z.strictObject({
  v: z.literal(1),
  domain: z.string().max(255),
  cluster: z.string().max(63),
  term: recordCount,
  generation: recordCount,
  kind: z.enum(['epoch', 'heal', 'revoke']),
  epoch: recordCount,
  /** The chain this one is derived from; null where a generation begins. */
  parent: chainId.nullable(),
  atSlot: slot,
  periodMs: recordPeriodMs,
  beacon: b64Text(32),
  /** CHIPS registry id. */
  algorithm: z.int().min(0).max(255),
  /** `SHA-256("tidelock/commit/v1" || root)`, only where a generation begins. */
  rootCommit: HEX32.optional(),
  rosterDigest: HEX32,
  prev: HEX32.nullable(),
  conductor: z.strictObject({ node: nodeName, sid }),
});

/** What has this form is hashed, whoever signed it. */
const documentSchema = z.object({
  v: z.literal(1),
  kind: z.literal(KIND),
  payload: schema,
  signatures: z.array(z.unknown()).max(8),
});

export type RecordBody = z.infer<typeof schema>;
/** A RecordBody in the form that JCS and signatures take. */
export type RecordDocument = SignedDocument;

/** A record; its signature was checked unless it comes from openLinkedRecord(). */
export interface EpochRecord extends RecordBody {
  /** SHA-256, hex, of the document without its signatures. */
  readonly hash: string;
  readonly chainId: ChainId;
  /** As it was signed, so that it can be put back where a bus has lost it. */
  readonly document: RecordDocument;
}

export function signRecord(body: RecordBody, key: SigningKey): RecordDocument {
  return signDocument(KIND, body, key);
}

/**
 * The record in `document`, if `conductor` signed it.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID.
 */
export function openRecord(document: unknown, conductor: SigningPublic): EpochRecord {
  const payload = verifyDocument(document, KIND, [conductor]);
  const body = parseAs(schema, payload, {
    code: 'DOCUMENT_MALFORMED',
    op: 'record.parse',
    what: 'epoch record',
    hint: 'The conductor runs an incompatible version; upgrade agents one minor version at a time.',
  });
  return named(body, document as RecordDocument, documentHash(document as RecordDocument));
}

/**
 * What has the form of a record, of which no signature is checked: one that is linked to a verified record by `prev` is
 * vouched for by its hash, any other by nothing yet. Undefined: it is none, or hashes to something else than `hash`.
 */
export function openLinkedRecord(document: unknown, hash?: string): EpochRecord | undefined {
  const read = documentSchema.safeParse(document);
  if (!read.success) return undefined;
  const actual = documentHash(document as RecordDocument);
  if (hash !== undefined && hex(actual) !== hash) return undefined;
  return named(read.data.payload, document as RecordDocument, actual);
}

/** Checks that `conductor` has signed a record that was read before. Errors: SIGNATURE_INVALID. */
export function verifyRecord({ document }: EpochRecord, conductor: SigningPublic): void {
  verifyDocument(document, KIND, [conductor]);
}

const named = (body: RecordBody, document: RecordDocument, hash: Bytes): EpochRecord => ({
  ...body,
  hash: hex(hash),
  chainId: chainIdOf(hash),
  document,
});

/** What orders chains and records. */
export interface Order {
  readonly generation: number;
  readonly term: number;
  readonly epoch: number;
  /** Record hash, hex. */
  readonly hash: string;
}

/** Negative when `a` is newer: (generation, term, epoch), then the lowest record hash (PROTOCOL 4). */
export const newestFirst = (a: Order, b: Order): number =>
  b.generation - a.generation ||
  b.term - a.term ||
  b.epoch - a.epoch ||
  (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);

export type RecordRefusal =
  | 'other-cluster'
  | 'lower-term'
  | 'other-conductor-of-term'
  | 'generation-jump'
  | 'at-slot'
  | 'period'
  | 'algorithm'
  | 'count'
  | 'commitment';

export interface RecordLimits {
  readonly domain: string;
  readonly cluster: string;
  readonly periodMs: { readonly min: number; readonly max: number };
  readonly algorithms: readonly number[];
}

/** A record takes effect this many slots after it is made: two whole periods to reach everyone. */
export const SLOTS_AHEAD = 3;
/** A record may take effect at most this many slots after it is made. */
const MAX_SLOTS_AHEAD = 8;
/** Terms that candidates may have taken for each record that was made (lease.ts), with room to spare. */
const TERMS_PER_SLOT = 128;
/** Shortest slot of any chain (recordPeriodMs). */
const MIN_PERIOD_MS = 1000;

/** Why a signed record does not count, or undefined (PROTOCOL 4, authority and forks). */
export function judgeRecord(
  record: RecordBody,
  newest: (Order & { readonly conductor: NodeName }) | undefined,
  limits: RecordLimits,
  nowSlot: Slot,
): RecordRefusal | undefined {
  if (record.domain !== limits.domain || record.cluster !== limits.cluster) return 'other-cluster';
  if (record.periodMs < limits.periodMs.min || record.periodMs > limits.periodMs.max)
    return 'period';
  if (!limits.algorithms.includes(record.algorithm)) return 'algorithm';
  // No more than there can have been since 1970: after MAX_COUNT nobody could make another.
  const shortestMs = Math.max(MIN_PERIOD_MS, limits.periodMs.min);
  const mostSlots = (record.atSlot * record.periodMs) / shortestMs;
  const isBeyond =
    Math.max(record.generation, record.epoch) > mostSlots ||
    record.term > TERMS_PER_SLOT * mostSlots;
  if (isBeyond) return 'count';
  const begins = record.kind !== 'epoch';
  if (begins !== (record.rootCommit !== undefined) || begins !== (record.parent === null)) {
    return 'commitment';
  }
  if (record.atSlot > slotPlus(nowSlot, MAX_SLOTS_AHEAD)) return 'at-slot';
  if (newest === undefined) return undefined;
  if (record.term < newest.term) return 'lower-term';
  if (record.term === newest.term && record.conductor.node !== newest.conductor) {
    return 'other-conductor-of-term';
  }
  if (record.generation !== newest.generation + (begins ? 1 : 0)) return 'generation-jump';
  return undefined;
}
