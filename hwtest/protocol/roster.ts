// Vectors of the roster (PROTOCOL 3.3): entries, index rows and the digest over them.
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { leafHash } from '#agent/epochs/merkle.ts';
import { Members } from '#agent/epochs/members.ts';
import { entryHash, entryOf, type RosterEntry, type RosterIndex } from '#agent/epochs/roster.ts';
import { parseStatement } from '#agent/epochs/statement.ts';
import { SENT_MS, seed } from './cast.ts';
import { stated } from './statements.ts';
import type { Vector } from './vector.ts';

/** The entry of the source, which has admitted itself. */
export async function entry(): Promise<RosterEntry> {
  const statement = parseStatement(jcs(await stated()));
  return entryOf({
    statement,
    evidenceDigest: hex(seed('evidence')),
    verdict: 'affirming',
    conductor: statement.sid,
    atMs: SENT_MS,
    ttlMs: 1_200_000,
  });
}

/** An index of `count` nodes, not in the order of their names. */
export const rosterOf = (count: number): RosterIndex =>
  Array.from({ length: count }, (_, n) => ({
    node: `node-${(n * 5) % 11}` as NodeName,
    sid: hex(seed(`sid ${n}`, 16)) as Sid,
    entry: hex(seed(`entry ${n}`)),
  }));

export const rosterVectors = async (): Promise<Vector[]> => [
  await entryVector(),
  ...[0, 1, 2, 3, 4, 5, 8, 11].map((count) => {
    const rows = rosterOf(count);
    const members = Members.of(rows);
    return {
      name: `of ${count} nodes`,
      compute: 'rosterDigest',
      given: { rows },
      expect: {
        leaves: members.rows.map((row) => leafHash(jcs(row))),
        rosterDigest: members.digest,
      },
    };
  }),
];

async function entryVector(): Promise<Vector> {
  const given = { entry: await entry() };
  return { name: 'of a node', compute: 'entry', given, expect: { hash: entryHash(given.entry) } };
}
