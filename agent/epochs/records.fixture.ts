// What tests of the epoch plane stand on: nodes with real keys, records that a conductor really signed,
// and an examiner that was told its answers.
import type { ChainId, NodeName, Slot } from '#agent/base/brands.ts';
import { b64url, hex } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { createLog } from '#agent/log.ts';
import type { Appraisal } from '#attest/verify.ts';
import { rootCommit } from '#proxy/chips/chain.ts';
import type { Heard } from './bus.ts';
import type { Examined } from './examiner.ts';
import { Members } from './members.ts';
import type { Presence } from './presence.ts';
import { openRecord, signRecord, type EpochRecord, type RecordBody } from './record.ts';
import { drawStatement, type OwnStatement } from './statement.ts';

export const PERIOD_MS = 5_000;
export const NOW_SLOT = 2_000_000 as Slot;
export const NOW_MS = NOW_SLOT * PERIOD_MS;
export const ROOT = Buffer.alloc(32, 7);

export const drawNode = (name: string): OwnStatement =>
  drawStatement({
    domain: 'example.org',
    cluster: 'c',
    node: name as NodeName,
    algorithms: [1],
    issuedAtMs: NOW_MS,
    nonce: Buffer.alloc(16),
  });

/** The first record of a cluster, by `conductor`, with `change` laid over it. */
export function recordBy(
  conductor: OwnStatement,
  change: Partial<RecordBody> = {},
): { readonly document: SignedDocument; readonly record: EpochRecord } {
  const { node, sid } = conductor.statement;
  const body: RecordBody = {
    v: 1,
    domain: 'example.org',
    cluster: 'c',
    term: 1,
    generation: 1,
    kind: 'heal',
    epoch: 1,
    parent: null,
    atSlot: NOW_SLOT,
    periodMs: PERIOD_MS,
    beacon: b64url(Buffer.alloc(32, 3)),
    algorithm: 1,
    rootCommit: hex(rootCommit(ROOT)),
    rosterDigest: Members.none.digest,
    prev: null,
    conductor: { node, sid },
    ...change,
  };
  const document = signRecord(body, conductor.sign);
  return { document, record: openRecord(document, conductor.sign.public) };
}

/** An appraisal with this verdict; `authentic`: the enrolled TPM signed what it is of. */
export const appraisalOf = (verdict: Appraisal['verdict'], authentic = true): Appraisal => ({
  verdict,
  checks: [],
  pcrs: {},
  clock: authentic ? { clockMs: 1, resetCount: 1, restartCount: 0, safe: true } : undefined,
  atMs: NOW_MS,
});

/** Stands in for an examiner, whose own work has tests of its own: nodes by sid, the rest is unknown. */
export function examinerOf(answers: Map<OwnStatement, Appraisal>) {
  const examine = (_node: NodeName, sid: string): Promise<Examined> => {
    const found = [...answers].find(([own]) => own.statement.sid === sid);
    if (!found) return Promise.resolve({ known: false, why: 'its evidence is not on the bus' });
    const [{ statement }, appraisal] = found;
    const evidenceDigest = '0'.repeat(64);
    return Promise.resolve({
      known: true,
      statement,
      appraisal,
      evidenceDigest,
      challengeRandom: '',
    });
  };
  const forget = (node: NodeName): void => {
    for (const own of answers.keys()) if (own.statement.node === node) answers.delete(own);
  };
  return { examine, forget };
}

/** A message that says `value`. */
export const heardOf = (value: unknown, lenBytes = 1): Heard => ({ lenBytes, read: () => value });

/** A clock that stands at NOW_MS. */
export const stillClock: Clock = {
  wallMs: () => NOW_MS,
  monoMs: () => 0,
  after: () => () => undefined,
};

/** A log whose events can be looked at. */
export function keptLog() {
  const lines: { readonly event: string; readonly text?: string }[] = [];
  const log = createLog({
    level: 'debug',
    clock: stillClock,
    write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]),
  });
  return { log, lines };
}

const A_CHAIN = {
  chainId: '0'.repeat(32) as ChainId,
  slot: 1 as Slot,
  check: b64url(Buffer.alloc(8)),
};

/** What a node that holds `chains` says of itself. */
export const presenceBy = (
  own: OwnStatement,
  seq: number,
  chains: Presence['chains'] = [A_CHAIN],
): Presence => ({
  v: 1,
  node: own.statement.node,
  sid: own.statement.sid,
  seq,
  nextSeal: b64url(own.seal.public),
  chains,
  clockOffsetMs: 0,
  hop: 0,
});

/** Anything that is no record. */
export const garbage = (n: number): Json => ({ v: 1, kind: 'epoch-record', payload: { n } });
