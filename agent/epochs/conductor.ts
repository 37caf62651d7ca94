// The conductor (PROTOCOL 3 and 4): while it holds the lease it admits nodes, makes one record a slot
// and seals the roots of generations. It is believed in nothing that others can check.
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { slotPlus } from '#agent/base/brands.ts';
import { b64url, hex, type Bytes } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Log } from '#agent/log.ts';
import { rootCommit } from '#proxy/chips/chain.ts';
import type { AdmissionDesk } from './admission.ts';
import type { Bus } from './bus.ts';
import type { ChainKeeper } from './keeper.ts';
import type { Lease, Standing } from './lease.ts';
import type { Members } from './members.ts';
import {
  openRecord,
  signRecord,
  SLOTS_AHEAD,
  type EpochRecord,
  type RecordBody,
} from './record.ts';
import type { RosterPublisher } from './rosterPublisher.ts';
import { sealFor, type Secrets, type UsedSeals } from './sealed.ts';
import { Semaphore } from './semaphore.ts';
import type { OwnStatement } from './statement.ts';
import type { Subjects } from './subjects.ts';

export interface ConductorOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly lease: Lease;
  readonly keeper: ChainKeeper;
  readonly desk: AdmissionDesk;
  readonly publisher: RosterPublisher;
  readonly usedSeals: UsedSeals;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Buffer;
  readonly domain: string;
  readonly cluster: string;
  readonly periodMs: number;
  /** CHIPS ids to draw from: the owners' mandatory set. */
  readonly algorithms: readonly number[];
  /** This node's statement while its own evidence holds. */
  readonly self: () => OwnStatement | undefined;
  readonly standing: (holder: NodeName) => Standing;
  /** False while records exist that this node could not read back yet: it would fork the cluster. */
  readonly ready: () => boolean;
  readonly newest: () => EpochRecord | undefined;
  /** Takes the record into this node's own state, as if it had come from the bus. */
  readonly apply: (record: EpochRecord) => Promise<void>;
}

/** Where nobody holds a chain there is nobody to wait for. */
const SLOTS_AHEAD_COLD = 1;
/** Sealings under way at a time: each reads a presence from the bus before, and waits for the bus after. */
const SEALS_AT_ONCE = 64;
/** After so many slots the roster is nobody's any more. */
const MAX_TRIES = 4;

export class Conductor {
  readonly #o: ConductorOptions;
  #term: number | undefined;
  /** The newest record when this node was elected. */
  #tookOver: string | undefined;
  #stopResponding: (() => void) | undefined;
  /** Members whose root could not be sealed yet: no unused seal key of theirs was known. */
  readonly #owed = new Set<NodeName>();
  readonly #sealing = new Semaphore(SEALS_AT_ONCE);
  /** In how many slots the roster could not be read. */
  #tries = 0;

  constructor(options: ConductorOptions) {
    this.#o = options;
  }

  get leading(): boolean {
    return this.#term !== undefined;
  }

  /** Once at each slot: holds or tries for the lease, and when leading makes this slot's record. */
  async onSlot(slot: Slot): Promise<void> {
    const { lease, desk, log } = this.#o;
    const self = this.#o.self();
    if (!self) {
      if (this.leading) await this.resign('this node failed attestation');
      return;
    }
    if (!this.leading && !this.#o.ready()) return;
    const { node, sid } = self.statement;
    const newest = this.#o.newest();
    if (this.leading && newest?.conductor.node !== node && newest?.hash !== this.#tookOver) {
      await this.resign('a newer record is that of another node');
      return;
    }
    const held = await lease.hold({
      node,
      sid,
      highestTerm: newest?.term ?? 0,
      standing: this.#o.standing,
    });
    if (!held) {
      this.#follow('another node holds the lease');
      return;
    }
    if (!this.leading) {
      // A record without those that the last one lists would cut all their lanes.
      this.#tries += 1;
      if (!(await desk.takeOver(newest?.rosterDigest)) && this.#tries < MAX_TRIES) return;
      this.#tries = 0;
      this.#tookOver = newest?.hash;
      this.#o.publisher.forget();
      this.#stopResponding = desk.open();
      log.info('conductor.elected', { term: held.term, text: `conducting, term ${held.term}` });
    }
    this.#term = held.term;
    await desk.examineSome();
    await desk.admitSelf(self);
    await this.#announce(self, held.term, slot);
    await this.#pay([...this.#owed], self, slot);
  }

  /** A bus that has lost the roster gets all of it again with the next record. */
  async onConnect(): Promise<void> {
    const { publisher, desk } = this.#o;
    if (!this.leading || (await publisher.isThere())) return;
    publisher.forget();
    desk.unpublish();
  }

  /** Gives up at once, so that a healthy node need not wait for the lease to run out. */
  async resign(why: string): Promise<void> {
    const holder = this.#o.lease.holder?.node;
    this.#follow(why);
    if (holder !== undefined) await this.#o.lease.release(holder);
  }

  #follow(why: string): void {
    if (this.leading)
      this.#o.log.warn('conductor.resigned', { text: `no longer conducting: ${why}` });
    this.#term = undefined;
    this.#stopResponding?.();
    this.#stopResponding = undefined;
  }

  /** A member withdrew: the next record begins a generation without it. */
  onWithdrawal(node: NodeName, sid: Sid, why: string): void {
    if (this.leading) this.#o.desk.withdraw(node, sid, why);
  }

  /** An owner revoked a node: the next record begins a generation without it. */
  onRevoked(node: NodeName, why: string): void {
    if (this.leading) this.#o.desk.revoke(node, why);
    this.#owed.delete(node);
  }

  /** A member has a new seal key: what could not be sealed to it when a generation began is sealed now. */
  async onSealKey(node: NodeName, slot: Slot): Promise<void> {
    const self = this.#o.self();
    if (this.leading && self && this.#owed.has(node)) await this.#pay([node], self, slot);
  }

  async #announce(self: OwnStatement, term: number, slot: Slot): Promise<void> {
    const { bus, subjects, keeper, desk, clock, log } = this.#o;
    const leaving = desk.leaving(clock.wallMs());
    const newest = this.#o.newest();
    const parent = newest && keeper.get(newest.chainId);
    const kind = !parent
      ? 'heal'
      : leaving.length > 0
        ? 'revoke'
        : desk.allRenewed()
          ? 'heal'
          : 'epoch';
    const root = kind === 'epoch' ? undefined : this.#o.random(32);
    const members = desk.index();
    const body: RecordBody = {
      v: 1,
      domain: this.#o.domain,
      cluster: this.#o.cluster,
      term,
      generation: (newest?.generation ?? 0) + (root ? 1 : 0),
      kind,
      epoch: (newest?.epoch ?? 0) + 1,
      parent: root || !parent ? null : parent.id,
      atSlot: slotPlus(slot, keeper.chains().length === 0 ? SLOTS_AHEAD_COLD : SLOTS_AHEAD),
      periodMs: this.#o.periodMs,
      beacon: b64url(this.#o.random(32)),
      algorithm: this.#draw(),
      ...(root ? { rootCommit: hex(rootCommit(root)) } : {}),
      rosterDigest: members.digest,
      prev: newest?.hash ?? null,
      conductor: { node: self.statement.node, sid: self.statement.sid },
    };
    const document = signRecord(body, self.sign);
    const record = openRecord(document, self.sign.public);
    const published =
      (await this.#publishRoster(members)) &&
      (await bus.publish(subjects.record, document, record.hash));
    if (!published) return; // nothing was changed: the next slot makes it again
    await this.#o.apply(record);
    if (!root) return;
    keeper.giveRoot(record.hash, root);
    desk.generationBegan(leaving);
    log.info('generation.began', {
      kind,
      generation: record.generation,
      text: `generation ${record.generation} (${kind}${leaving.length > 0 ? `: ${leaving.map((l) => `${l.node} ${l.why}`).join(', ')}` : ''})`,
    });
    await this.#sealRoot(self, record, root, slot);
    root.fill(0);
  }

  #draw(): number {
    const { algorithms, random } = this.#o;
    return algorithms[random(4).readUInt32BE(0) % algorithms.length] ?? 1;
  }

  async #publishRoster(members: Members): Promise<boolean> {
    const { publisher, desk } = this.#o;
    const entries = desk.unpublished();
    const done = await publisher.publishEntries(entries);
    for (const entry of done) desk.published(entry);
    return done.length === entries.length && publisher.publish(members);
  }

  async #sealRoot(self: OwnStatement, record: EpochRecord, root: Bytes, slot: Slot): Promise<void> {
    const members = this.#o.desk.members().filter((node) => node !== self.statement.node);
    const secrets = { root: b64url(root), chains: [] };
    const sealed = await this.#sealTo(members, self, secrets, record.hash, slot);
    for (const node of members) if (!sealed.has(node)) this.#owed.add(node);
  }

  async #pay(nodes: readonly NodeName[], self: OwnStatement, slot: Slot): Promise<void> {
    const { keeper, clock } = this.#o;
    const newest = this.#o.newest();
    if (!newest || nodes.length === 0) return;
    const secrets = { chains: keeper.sealable(clock.wallMs()) };
    const sealed = await this.#sealTo(nodes, self, secrets, newest.hash, slot);
    for (const node of sealed) this.#owed.delete(node);
  }

  /** Those of `nodes` to which `secrets` are on their way. */
  async #sealTo(
    nodes: readonly NodeName[],
    self: OwnStatement,
    secrets: Secrets,
    recordHash: string,
    slot: Slot,
  ): Promise<ReadonlySet<NodeName>> {
    const sealed = new Set<NodeName>();
    const sealOne = async (node: NodeName): Promise<void> => {
      if (await this.#seal(self, node, secrets, recordHash, slot)) sealed.add(node);
    };
    await Promise.all(nodes.map((node) => this.#sealing.run(() => sealOne(node))));
    return sealed;
  }

  /** Publishes secrets on a member's own subject; false when it has no unused seal key or no bus. */
  async #seal(
    self: OwnStatement,
    node: NodeName,
    secrets: Secrets,
    recordHash: string,
    slot: Slot,
  ): Promise<boolean> {
    const { bus, subjects, usedSeals, desk } = this.#o;
    const recipient = await desk.recipient(node);
    if (!recipient || !usedSeals.claim(recipient.seal)) return false;
    const document = sealFor(self, recipient, secrets, recordHash, slot);
    return bus.publish(subjects.sealed(node), document);
  }
}
