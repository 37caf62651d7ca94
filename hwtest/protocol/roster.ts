// Vectors of the roster (PROTOCOL 3.3): entries, index rows and the digest over them.
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url, hex, utf8 } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { leafHash } from '#agent/epochs/merkle.ts';
import {
  entryHash,
  rosterDigest,
  sorted,
  type RosterEntry,
  type RosterIndex,
} from '#agent/epochs/roster.ts';
import { SENT_MS, SOURCE, seed } from './cast.ts';
import type { Vector } from './vector.ts';

/** An entry whose statement is too short to be one: its digest does not depend on what it holds. */
const ENTRY: RosterEntry = {
  v: 1,
  statement: b64url(utf8('{"v":1}')),
  evidenceDigest: hex(seed('evidence')),
  verdict: 'affirming',
  level: 'tpm',
  receipt: { conductor: SOURCE.sid, at: SENT_MS },
  expiresAt: SENT_MS + 1_200_000,
};

/** An index of `count` nodes, not in the order of their names. */
export const rosterOf = (count: number): RosterIndex =>
  Array.from({ length: count }, (_, n) => ({
    node: `node-${(n * 5) % 11}` as NodeName,
    sid: hex(seed(`sid ${n}`, 16)) as Sid,
    entry: hex(seed(`entry ${n}`)),
  }));

export const rosterVectors = (): Vector[] => [
  {
    name: 'of a node',
    compute: 'entry',
    given: { entry: ENTRY },
    expect: { hash: entryHash(ENTRY) },
  },
  ...[0, 1, 2, 3, 4, 5, 8, 11].map((count) => {
    const rows = rosterOf(count);
    return {
      name: `of ${count} nodes`,
      compute: 'rosterDigest',
      given: { rows },
      expect: {
        leaves: sorted(rows).map((row) => leafHash(jcs(row))),
        rosterDigest: rosterDigest(rows),
      },
    };
  }),
];
