// The roster (PROTOCOL 3.3): who is admitted. An entry counts only under the RFC 6962 digest that a
// signed record carries; index and entries travel by content, so the bus need not be trusted.
import { z } from 'zod';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url, hex, sha256 } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { b64TextMax, nodeName, sid } from '#agent/base/schema.ts';
import { leafHash, merkleRoot } from './merkle.ts';
import type { Statement } from './statement.ts';

const HEX32 = z.string().regex(/^[0-9a-f]{64}$/);

const entrySchema = z.strictObject({
  v: z.literal(1),
  /** base64url of the statement's JCS bytes. */
  statement: b64TextMax(8192),
  /** SHA-256, hex, of the evidence document's JCS. */
  evidenceDigest: HEX32,
  verdict: z.enum(['affirming', 'warning']),
  /** What the verdict rests on. */
  level: z.enum(['tpm', 'tpm+cc']),
  /** The conductor that admitted the node; the record that lists the entry signs this too. */
  receipt: z.strictObject({ conductor: sid, at: z.int().min(0) }),
  /** Unix milliseconds. */
  expiresAt: z.int().min(0),
});

const indexSchema = z.array(z.strictObject({ node: nodeName, sid, entry: HEX32 })).max(20_000);

export type RosterEntry = z.infer<typeof entrySchema>;
export type RosterIndex = z.infer<typeof indexSchema>;

/** What a conductor finds out about a statement that it admits. */
interface Admission {
  readonly statement: Statement;
  /** SHA-256, hex. */
  readonly evidenceDigest: string;
  readonly verdict: RosterEntry['verdict'];
  /** Statement of the conductor. */
  readonly conductor: Sid;
  readonly atMs: number;
  readonly ttlMs: number;
}

/** The entry of a node that is admitted. */
export const entryOf = ({
  statement,
  evidenceDigest,
  verdict,
  conductor,
  atMs,
  ttlMs,
}: Admission): RosterEntry => ({
  v: 1,
  statement: b64url(statement.bytes),
  evidenceDigest,
  verdict,
  level: 'tpm',
  receipt: { conductor, at: atMs },
  expiresAt: atMs + ttlMs,
});

/** SHA-256, hex, of an entry's JCS: its name on the bus. */
export const entryHash = (entry: RosterEntry): string => hex(sha256(jcs(entry)));

/** `rosterDigest`: the Merkle root over the index rows in the order of node names, hex. */
export function rosterDigest(index: RosterIndex): string {
  return hex(merkleRoot(sorted(index).map((row) => leafHash(jcs(row)))));
}

export const sorted = (index: RosterIndex): RosterIndex =>
  index.toSorted((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0));

/** An index is one message on the bus, headers included (PROTOCOL 3.3): about 7,000 nodes. */
const MAX_INDEX_BYTES = (1 << 20) - 4096;
/** Of a row's JCS, its node name not counted, and the comma that follows. */
const ROW_BYTES = 128;

/** Whether an index of these nodes is short enough for the bus. */
export function fitsIndex(nodes: ReadonlySet<NodeName>): boolean {
  let bytes = '[]'.length;
  for (const node of nodes) bytes += ROW_BYTES + node.length;
  return bytes <= MAX_INDEX_BYTES;
}

/** The index in `value` if it hashes to `digest` and names each node once. */
export function readIndex(value: unknown, digest: string): RosterIndex | undefined {
  const parsed = indexSchema.safeParse(value);
  if (!parsed.success || rosterDigest(parsed.data) !== digest) return undefined;
  return new Set(parsed.data.map((row) => row.node)).size === parsed.data.length
    ? parsed.data
    : undefined;
}

/** The entry in `value` if it is one and hashes to `hash`. Garbage is not there, whatever its form. */
export function readEntry(value: unknown, hash: string): RosterEntry | undefined {
  const parsed = entrySchema.safeParse(value);
  return parsed.success && entryHash(parsed.data) === hash ? parsed.data : undefined;
}
