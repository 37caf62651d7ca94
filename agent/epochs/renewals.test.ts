// How two nodes renew their statements under lanes that go on (PROTOCOL 3.4): books, own statements and chains
// of both, with a record in each slot, slot by slot.
import { expect, test } from 'vitest';
import { slotPlus, type ChainId, type NodeName, type Sid, type Slot } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { PairSecret, Peer } from '#proxy/snapshot.ts';
import { ChainKeeper } from './keeper.ts';
import { OwnStatements } from './ownStatements.ts';
import { Members } from './members.ts';
import { PeerBook } from './peers.ts';
import type { Presence } from './presence.ts';
import type { EpochRecord } from './record.ts';
import {
  appraisalOf,
  drawNode,
  NOW_SLOT,
  PERIOD_MS,
  presenceBy,
  recordBy,
  ROOT,
} from './records.fixture.ts';
import { entryOf, type RosterEntry, type RosterRow } from './roster.ts';
import type { OwnStatement } from './statement.ts';

const SLOTS = 24;
/** As the conductor makes them. */
const SLOTS_AHEAD = 3;
const MAX_STALENESS_MS = 1_800_000;

/** What a node draws, one after the other; each test begins anew. */
const drawn = ['node-a', 'node-b'].map((name) =>
  Array.from({ length: SLOTS }, () => drawNode(name)),
);

interface Listed {
  readonly row: RosterRow;
  readonly entry: RosterEntry;
}

class Side {
  readonly #node: NodeName;
  readonly #statements: Iterator<OwnStatement>;
  readonly #keeper = new ChainKeeper({ maxStalenessMs: MAX_STALENESS_MS });
  readonly #own = new OwnStatements();
  readonly #peers = new PeerBook();
  #newest: OwnStatement;
  #said = 0;

  constructor(statements: readonly OwnStatement[]) {
    this.#statements = statements.values();
    this.#newest = this.renew();
    this.#node = this.#newest.statement.node;
  }

  renew(): OwnStatement {
    const { value, done } = this.#statements.next();
    if (done) throw new RangeError('no more statements');
    this.#newest = value;
    this.#own.add(value);
    return value;
  }

  /** Its row of the next record, and what that stands for. */
  get row(): Listed {
    const { statement } = this.#newest;
    const [evidenceDigest, conductor] = ['0'.repeat(64), statement.sid];
    const atMs = NOW_SLOT * PERIOD_MS;
    const examined = { evidenceDigest, verdict: 'affirming', conductor, atMs, ttlMs: 1 } as const;
    const entry = entryOf({ statement, ...examined });
    return { row: { node: statement.node, sid: statement.sid, entry: evidenceDigest }, entry };
  }

  hearRecord(record: EpochRecord, rows: readonly Listed[], { statement }: OwnStatement): void {
    this.#keeper.accept(record);
    this.#keeper.giveRoot(record.hash, ROOT);
    this.#own.follow(Members.of(rows.map(({ row }) => row)), record);
    if (this.#peers.acceptedStatement(statement.node, statement.sid)) return;
    const { entry } = rows.find(({ row }) => row.sid === statement.sid) ?? this.row;
    const appraisal = appraisalOf('affirming');
    this.#peers.accept(statement.node, { statement, entry, appraisal, listedBy: record });
  }

  /** As the plane does in each slot. */
  advance(nowMs: number): void {
    this.#keeper.advance(nowMs);
    const inEffect = this.#keeper.inEffect(nowMs);
    const isHeld = (id: ChainId): boolean => this.#keeper.get(id) !== undefined;
    this.#peers.settle(inEffect, isHeld, nowMs, MAX_STALENESS_MS);
    this.#own.settle(inEffect, this.#peers.all(), nowMs - MAX_STALENESS_MS);
    this.#peers.forgetPairs(this.#own.addressable);
  }

  presence(nowMs: number): Presence {
    const speaker = this.#own.listed[0]?.own ?? this.#newest;
    this.#said += 1;
    const chains = this.#keeper.announce(this.#node, speaker.statement.sid, nowMs);
    return { ...presenceBy(speaker, this.#said), chains };
  }

  hear(presence: Presence, nowMs: number): void {
    if (!this.#peers.acceptedStatement(presence.node, presence.sid)) return;
    this.#peers.hear(presence, this.#keeper.confirmed(presence, nowMs), nowMs);
  }

  /** With what its data plane sends to the other one. */
  send(to: NodeName, nowMs: number): Peer['send'] {
    const inEffect = this.#keeper.inEffect(nowMs);
    return this.#peers.choose(this.#peers.peer(to), this.#own.listed, inEffect, nowMs);
  }

  /** With what its data plane can follow the other one. */
  pairs(from: NodeName): readonly Pick<PairSecret, 'ownSid' | 'peerSid'>[] {
    return this.#peers.pairs(this.#peers.peer(from), this.#own.addressable);
  }

  get node(): NodeName {
    return this.#node;
  }

  get newest(): OwnStatement {
    return this.#newest;
  }
}

/** Both sides of a slot: the first sends to the second. */
const bothWays = <Of>(a: Of, b: Of) =>
  [
    [a, b],
    [b, a],
  ] as const;

test.each([
  { every: 1, late: 0 },
  { every: 1, late: 1 },
  { every: 2, late: 1 },
  { every: 3, late: 0 },
  { every: 3, late: 1 },
  { every: 6, late: 1 },
])(
  'choose() names statements that the peer still holds a slot later, with renewals every $every slots and presences $late late',
  ({ every, late }) => {
    const [ofA = [], ofB = []] = drawn;
    const [a, b] = [new Side(ofA), new Side(ofB)];
    const used = new Set<Sid>();
    const presences: (readonly [Presence, Presence])[] = [];
    let prev: string | null = null;
    let sent: readonly (readonly [Side, Side, Peer['send']])[] = [];
    for (let n = 1; n <= SLOTS; n += 1) {
      const slot: Slot = slotPlus(NOW_SLOT, n);
      const nowMs = slot * PERIOD_MS;
      if (n > 1 && n % every === 0) a.renew();
      if (n > 1 && (n + 1) % every === 0) b.renew();
      const { record } = recordBy(a.newest, {
        generation: n,
        epoch: n,
        atSlot: slotPlus(slot, n === 1 ? 0 : SLOTS_AHEAD),
        beacon: b64url(Buffer.alloc(32, n)),
        prev,
      });
      prev = record.hash;
      const rows = [a.row, b.row];
      for (const [self, other] of bothWays(a, b)) self.hearRecord(record, rows, other.newest);
      for (const side of [a, b]) side.advance(nowMs);

      for (const [from, to, send] of sent) {
        if ('refused' in send) continue;
        const { ownSid, peerSid } = send;
        const held = to.pairs(from.node);
        expect(held.some((pair) => pair.ownSid === peerSid && pair.peerSid === ownSid)).toBe(true);
        used.add(ownSid);
      }
      presences.push([a.presence(nowMs), b.presence(nowMs)]);
      const [ofAHeard, ofBHeard] = presences.at(-1 - late) ?? [];
      if (ofAHeard) b.hear(ofAHeard, nowMs);
      if (ofBHeard) a.hear(ofBHeard, nowMs);
      sent = bothWays(a, b).map(([self, other]) => [self, other, self.send(other.node, nowMs)]);
    }
    expect(used.size).toBeGreaterThan(SLOTS / every);
  },
);
