// The records of the vectors (PROTOCOL 4.5): the first of a cluster, one that follows it in its generation, and
// one that begins the next generation because a node is out.
import { slotPlus } from '#agent/base/brands.ts';
import { b64url, hex } from '#agent/base/bytes.ts';
import {
  judgeRecord,
  openLinkedRecord,
  type EpochRecord,
  type RecordBody,
} from '#agent/epochs/record.ts';
import { Members } from '#agent/epochs/members.ts';
import { rootCommit } from '#proxy/chips/chain.ts';
import { CHIPS } from '#proxy/chips/registry.ts';
import { CLUSTER, DOMAIN, PERIOD_MS, SLOT, SOURCE, seed } from './cast.ts';
import { rosterOf } from './roster.ts';

/** Root of the first generation. */
export const ROOT = seed('root');

const COMMON = {
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  term: 1,
  periodMs: PERIOD_MS,
  algorithm: 1,
  conductor: SOURCE,
} as const;

const HEAL: RecordBody = {
  ...COMMON,
  generation: 1,
  kind: 'heal',
  epoch: 1,
  parent: null,
  atSlot: SLOT,
  beacon: b64url(seed('beacon')),
  rootCommit: hex(rootCommit(ROOT)),
  rosterDigest: Members.of(rosterOf(3)).digest,
  prev: null,
};
/** The first record, as its readers name it. */
export const FIRST_RECORD = linked(HEAL);

const EPOCH: RecordBody = {
  ...COMMON,
  generation: 1,
  kind: 'epoch',
  epoch: 2,
  parent: FIRST_RECORD.chainId,
  atSlot: slotPlus(SLOT, 3),
  beacon: b64url(seed('second beacon')),
  rosterDigest: Members.of(rosterOf(4)).digest,
  prev: FIRST_RECORD.hash,
};

const REVOKE: RecordBody = {
  ...COMMON,
  generation: 2,
  kind: 'revoke',
  epoch: 3,
  parent: null,
  atSlot: slotPlus(SLOT, 4),
  beacon: b64url(seed('third beacon')),
  rootCommit: hex(rootCommit(seed('second root'))),
  rosterDigest: Members.of(rosterOf(3)).digest,
  prev: linked(EPOCH).hash,
};

/** In the order in which they follow each other. */
export const RECORDS: readonly RecordBody[] = [HEAL, EPOCH, REVOKE];

/** The record as a reader takes it, or undefined where its form alone refuses it, of whatever cluster. */
export function takenRecord(payload: unknown): EpochRecord | undefined {
  const record = openLinkedRecord({ v: 1, kind: 'epoch-record', payload, signatures: [] });
  if (!record) return undefined;
  const limits = {
    domain: record.domain,
    cluster: record.cluster,
    periodMs: { min: record.periodMs, max: record.periodMs },
    algorithms: CHIPS.map(({ id }) => id),
  };
  return judgeRecord(record, undefined, limits, record.atSlot) ? undefined : record;
}

function linked(body: RecordBody): EpochRecord {
  const record = takenRecord(body);
  if (!record) throw new Error(`the ${body.kind} record is none`);
  return record;
}
