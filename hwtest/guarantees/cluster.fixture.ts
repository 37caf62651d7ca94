// Three members in one process: node a and node b with their real workers (proxy/twoNodes.fixture.ts),
// and a third that conducts. Real statements, records, sealed messages and chains; attestation alone
// is taken for granted. The bus is a list of what was said on it.
import { randomBytes } from 'node:crypto';
import { slotPlus, type NodeName, type Slot } from '#agent/base/brands.ts';
import { b64url, hex, wipe } from '#agent/base/bytes.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { ChainKeeper } from '#agent/epochs/keeper.ts';
import { OwnStatements } from '#agent/epochs/ownStatements.ts';
import { openRecord, signRecord, type EpochRecord } from '#agent/epochs/record.ts';
import { appraisalOf, examinerOf, keptLog } from '#agent/epochs/records.fixture.ts';
import { sealFor } from '#agent/epochs/sealed.ts';
import { drawStatement, type OwnStatement } from '#agent/epochs/statement.ts';
import { takeSealed } from '#agent/epochs/unsealing.ts';
import { rootCommit } from '#proxy/chips/chain.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Peer, Snapshot } from '#proxy/snapshot.ts';
import { TwoNodes, type TestNode } from '#proxy/twoNodes.fixture.ts';
import { Truth } from './recording.fixture.ts';

/** Long beside a test, so that a slot ends only when the test says so. */
export const PERIOD_MS = 30_000;
const HEX_32 = '0'.repeat(64);
/** CHIPS id of HKDF-SHA-256 with AES-256-GCM. */
const FIRST_ALGORITHM = 1;

/** What one node's control plane holds. */
export class Member {
  readonly node: NodeName;
  readonly keeper = new ChainKeeper({ maxStalenessMs: 10 * PERIOD_MS });
  /** Newest first: what it speaks under, then what peers may still address. */
  statements: readonly OwnStatement[] = [];

  constructor(node: NodeName) {
    this.node = node;
  }

  get own(): OwnStatement {
    const [own] = this.statements;
    if (!own) throw new Error(`${this.node} has no statement`);
    return own;
  }
}

export class Cluster extends TwoNodes {
  readonly truth = new Truth();
  /** Every message of the bus, as its bytes. */
  readonly bus: string[] = [];
  readonly records: EpochRecord[] = [];
  /** CHIPS id of the next record. */
  algorithm = FIRST_ALGORITHM;
  readonly conductor = new Member('node-3' as NodeName);
  readonly memberA = new Member(this.a.name);
  readonly memberB = new Member(this.b.name);
  readonly #given: Snapshot[] = [];
  readonly #slots = new SlotClock(this.clock, PERIOD_MS);

  /**
   * A cluster whose first generation is in effect; `onRoot` sees each root that is drawn. With `onlySkips` time
   * stands still for the nodes unless the test skips some.
   */
  static async start(
    onRoot: (root: Buffer) => void = () => undefined,
    onlySkips = false,
  ): Promise<Cluster> {
    const cluster = new Cluster({ periodMs: PERIOD_MS, onlySkips });
    const { clock } = cluster;
    clock.skip(PERIOD_MS - (clock.wallMs() % PERIOD_MS)); // a whole slot from now on
    for (const member of cluster.members) await cluster.renew(member);
    await cluster.begin('heal', onRoot);
    clock.skip(PERIOD_MS);
    cluster.follow();
    await cluster.start();
    return cluster;
  }

  get members(): readonly Member[] {
    return [this.conductor, this.memberA, this.memberB];
  }

  get slot(): Slot {
    return this.#slots.slot(PERIOD_MS);
  }

  /** Draws new keys for a member; the statement before stays acceptable until settle(). */
  async renew(member: Member): Promise<void> {
    const own = drawStatement({
      domain: 'example.org',
      cluster: 'test',
      node: member.node,
      algorithms: [FIRST_ALGORITHM],
      issuedAtMs: this.clock.wallMs(),
      nonce: randomBytes(16),
    });
    member.statements = [own, ...member.statements.slice(0, 1)];
    this.bus.push(Buffer.from(own.statement.bytes).toString());
    const node = [this.a, this.b].find(({ name }) => name === member.node);
    if (node) node.sid = own.statement.sid;
  }

  /** Every member drops the statements that were replaced. */
  settle(): void {
    for (const member of this.members) member.statements = member.statements.slice(0, 1);
    this.tell();
  }

  /** Begins a generation at the next slot: its root goes to each member under seal. */
  async begin(kind: 'heal' | 'revoke', onRoot: (root: Buffer) => void = () => undefined) {
    const root = randomBytes(32);
    onRoot(root);
    const record = this.#announce(kind, root);
    const { own, keeper } = this.conductor;
    keeper.giveRoot(record.hash, root);
    for (const member of this.members.slice(1)) {
      const { node, sid } = member.own.statement;
      const to = { node, sid, seal: member.own.seal.public };
      const secrets = { root: b64url(root), chains: [] };
      const document = sealFor(own, to, secrets, record.hash, this.slot);
      this.bus.push(JSON.stringify(document));
      await this.#unseal(member, document, record);
    }
    root.fill(0);
  }

  /** Moves on by whole slots, with an epoch record and a snapshot in each. */
  rotate(slots: number): void {
    for (let n = 0; n < slots; n += 1) {
      this.#announce('epoch');
      this.clock.skip(PERIOD_MS);
      this.follow();
      this.tell();
    }
  }

  /** The control planes follow the time; the data planes are told nothing. */
  follow(): void {
    for (const { keeper } of this.members) keeper.advance(this.#slots.timeMs());
  }

  /** As the control plane does, leaves no key of a snapshot behind. */
  override tell(...of: Parameters<TwoNodes['tell']>): void {
    super.tell(...of);
    for (const { chains } of this.#given.splice(0)) wipe(...chains.map(({ key }) => key));
  }

  override snapshot(self: TestNode, other: TestNode): Snapshot {
    const base = super.snapshot(self, other);
    const [own, peer] = [this.#memberOf(self), this.#memberOf(other)];
    const snapshot = {
      ...base,
      self: { ...base.self, sids: own.statements.map(({ statement }) => statement.sid) },
      chains: own.keeper.live(),
      peers: base.peers.map((each) => this.#withKeys(each, own, peer)),
    };
    this.truth.note(snapshot);
    this.#given.push(snapshot);
    return snapshot;
  }

  #withKeys(base: Peer, own: Member, peer: Member): Peer {
    const [newest] = own.keeper.inEffect(this.#slots.timeMs());
    if (!newest) throw new Error('no chain is in effect');
    return {
      ...base,
      statements: peer.statements.map(({ statement }) => ({
        sid: statement.sid,
        ed25519: this.#testNode(peer.node).sign.public.ed25519,
      })),
      pairs: own.statements.flatMap((mine) =>
        peer.statements.map((theirs) => ({
          ownSid: mine.statement.sid,
          peerSid: theirs.statement.sid,
          secret: mine.lane.agree(theirs.statement.lane),
        })),
      ),
      send: {
        chainId: newest.id,
        ownSid: own.own.statement.sid,
        peerSid: peer.own.statement.sid,
      },
    };
  }

  /** A record of the next slot, taken by every member. */
  #announce(kind: EpochRecord['kind'], root?: Buffer): EpochRecord {
    const { own } = this.conductor;
    const last = this.records.at(-1);
    const document = signRecord(
      {
        v: 1,
        domain: 'example.org',
        cluster: 'test',
        term: 1,
        generation: (last?.generation ?? 0) + (root ? 1 : 0),
        kind,
        epoch: (last?.epoch ?? 0) + 1,
        parent: root || !last ? null : last.chainId,
        atSlot: slotPlus(this.slot, 1),
        periodMs: PERIOD_MS,
        beacon: b64url(randomBytes(32)),
        algorithm: this.algorithm,
        rosterDigest: HEX_32,
        prev: last?.hash ?? null,
        conductor: { node: own.statement.node, sid: own.statement.sid },
        ...(root && { rootCommit: hex(rootCommit(root)) }),
      },
      own.sign,
    );
    this.bus.push(JSON.stringify(document));
    const record = openRecord(document, own.sign.public);
    this.records.push(record);
    for (const { keeper } of this.members) keeper.accept(record);
    return record;
  }

  async #unseal(member: Member, document: SignedDocument, newest: EpochRecord): Promise<void> {
    const own = new OwnStatements();
    own.add(member.own);
    const taken = await takeSealed(document, {
      examiner: examinerOf(new Map([[this.conductor.own, appraisalOf('affirming')]])),
      keeper: member.keeper,
      own,
      follower: { newest },
      slots: this.#slots,
      log: keptLog().log,
    });
    if (taken !== 'root') throw new Error(`${member.node} did not take its root`);
  }

  #memberOf({ name }: TestNode): Member {
    return name === this.a.name ? this.memberA : this.memberB;
  }

  #testNode(name: NodeName): TestNode {
    return name === this.a.name ? this.a : this.b;
  }
}
