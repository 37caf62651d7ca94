// What is computed from a chain (PROTOCOL 4 to 6, 10): the next tick, an epoch's first value, lane
// names and header keys, presence checks, ports. With see/keys.ts the only place that derives keys.
//
// Every HMAC under a chain starts its message with one of LABEL, none of which begins another, and
// the names after it carry their length: no two purposes can ever meet in one HMAC input. That holds
// for the lane and update labels of see/keys.ts too, which is why those are listed here.
import type { ChainId, NodeName, Sid, Slot } from '#agent/base/brands.ts';
import {
  concat,
  field,
  fromHex,
  hex,
  sha256,
  truncate,
  u32,
  u64,
  utf8,
  type Bytes,
} from '#agent/base/bytes.ts';
import { expand, hmac } from './hkdf.ts';
import type { ChipsAlgorithm } from './registry.ts';

/** The first bytes of every HMAC message under a chain value; a prefix-free set. */
export const LABEL = {
  tick: utf8('tidelock/tick/v1'),
  kid: utf8('kid'),
  header: utf8('header'),
  check: utf8('check'),
  port: utf8('port'),
  lane: utf8('lane'),
  update: utf8('update'),
} as const;

const CHAIN_ID = utf8('tidelock/chain');
const COMMIT = utf8('tidelock/commit/v1');

/** `chain(c, t + 1)` from `chain(c, t)`, 32 bytes (PROTOCOL 4). */
export const tick = (chain: Bytes, slot: Slot): Buffer => expand(chain, LABEL.tick, u64(slot + 1));

/** `chain(new, atSlot)` from `chain(parent, atSlot)` and a record's beacon and hash, 32 bytes. */
export const epochStep = (
  algorithm: ChipsAlgorithm,
  parent: Bytes,
  beacon: Bytes,
  recordHash: Bytes,
): Buffer => algorithm.derive(parent, beacon, recordHash, 32);

/** Id of the chain that the record of this hash starts (PROTOCOL 4). */
export const chainIdOf = (recordHash: Bytes): ChainId =>
  hex(truncate(16, sha256(CHAIN_ID, recordHash))) as ChainId;

/** Commitment to the 32 random bytes of a generation (PROTOCOL 4). */
export const rootCommit = (root: Bytes): Buffer => sha256(COMMIT, root);

/** The receiver of a lane as it stands in derivations: node name and one of its statements. */
export const endpoint = (node: NodeName, sid: Sid): Buffer => concat(field(node), fromHex(sid));

/** Name of a (chain, slot, receiver) on the wire, 8 bytes (PROTOCOL 6). */
export const kidOf = (chain: Bytes, receiver: Bytes): Buffer =>
  truncate(8, hmac(chain, LABEL.kid, receiver));

/** Key of the lane header, 32 bytes (PROTOCOL 6). */
export const headerKeyOf = (chain: Bytes, receiver: Bytes): Buffer =>
  expand(chain, LABEL.header, receiver);

/** Proof in a presence or a lane's reply of holding `chain`, 8 bytes (PROTOCOL 4). */
export const presenceCheck = (chain: Bytes, node: NodeName, sid: Sid): Buffer =>
  truncate(8, expand(chain, LABEL.check, endpoint(node, sid)));

/** Lane port of a node in the slot of `chain` (PROTOCOL 10); `hop` 0 to 3. */
export function lanePort(
  chain: Bytes,
  node: NodeName,
  sid: Sid,
  hop: number,
  range: { readonly base: number; readonly span: number },
): number {
  const drawn = expand(chain, LABEL.port, endpoint(node, sid), u32(hop)).readUInt32BE(0);
  return range.base + (drawn % range.span);
}
