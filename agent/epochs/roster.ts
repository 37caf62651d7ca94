// The roster (PROTOCOL 3.3): who is admitted. An entry counts only under the RFC 6962 digest that a
// signed record carries; index and entries travel by content, so the bus need not be trusted.
import { z } from 'zod';
import type { Sid } from '#agent/base/brands.ts';
import { b64url, hex, sha256 } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { b64TextMax, nodeName, sid } from '#agent/base/schema.ts';
import type { Statement } from './statement.ts';

/** Rows of one message on the bus, which has at most 1 MiB (PROTOCOL 3.3). */
export const ROWS_PER_MESSAGE = 2_000;
/** Nodes of a roster. */
export const MAX_ROWS = 20_000;

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

const rows = z.array(z.strictObject({ node: nodeName, sid, entry: HEX32 })).max(ROWS_PER_MESSAGE);

const changeSchema = z.strictObject({
  v: z.literal(1),
  /** `rosterDigest` of the index that it changes. */
  from: HEX32,
  /** True where the bus has the whole index, too. */
  whole: z.boolean(),
  /** Rows of nodes that came, or that stand there in place of their own. */
  put: rows,
  gone: z.array(nodeName).max(ROWS_PER_MESSAGE),
});

export type RosterEntry = z.infer<typeof entrySchema>;
export type RosterIndex = z.infer<typeof rows>;
export type RosterRow = RosterIndex[number];
export type RosterChange = z.infer<typeof changeSchema>;

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

/** The rows in `value`, if that is part of an index. */
export const readRows = (value: unknown): RosterIndex | undefined => rows.safeParse(value).data;

/** The change in `value`, if it is one. */
export const readChange = (value: unknown): RosterChange | undefined =>
  changeSchema.safeParse(value).data;

/** The entry in `value` if it is one and hashes to `hash`. Garbage is not there, whatever its form. */
export function readEntry(value: unknown, hash: string): RosterEntry | undefined {
  const parsed = entrySchema.safeParse(value);
  return parsed.success && entryHash(parsed.data) === hash ? parsed.data : undefined;
}
