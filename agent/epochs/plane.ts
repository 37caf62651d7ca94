// The epoch plane of one agent: keeps its statement attested, its chains in step and its view of the
// others current. It owns order and timing; what each message means is in the files beside it.
import type { Revoked } from '#agent/api/revoked.ts';
import type { NodeName, Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { limitedLog } from '#agent/limitedLog.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Attestor } from './attestor.ts';
import type { Bus } from './bus.ts';
import { watchClock } from './clockWatch.ts';
import type { Conductor } from './conductor.ts';
import type { Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import type { ChainKeeper } from './keeper.ts';
import { Hearing } from './hearing.ts';
import { Meeting } from './meeting.ts';
import type { Membership } from './membership.ts';
import type { OwnStatements } from './ownStatements.ts';
import type { PeerBook } from './peers.ts';
import type { PeersFile } from './peersFile.ts';
import type { PeersInUse } from './peersInUse.ts';
import { claimedSender } from './presence.ts';
import type { EpochRecord } from './record.ts';
import { RenewalTimes, type RenewalTimesOptions } from './renewalTimes.ts';
import type { RosterSource } from './rosterSource.ts';
import type { Revocations } from './revocations.ts';
import { Revoking } from './revoking.ts';
import { SeenSoFar, type Seen } from './seen.ts';
import { Serial } from './serial.ts';
import { SlotTimer } from './slotTimer.ts';
import { MESSAGE_BYTES, type Subjects } from './subjects.ts';
import { takeSealed } from './unsealing.ts';
import type { Voice } from './voice.ts';
import type { Whereabouts } from './whereabouts.ts';

export interface PlaneOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly attestor: Attestor;
  readonly conductor: Conductor;
  readonly examiner: Examiner;
  readonly follower: RecordFollower;
  readonly keeper: ChainKeeper;
  readonly membership: Membership;
  readonly own: OwnStatements;
  readonly peers: PeerBook;
  readonly inUse: PeersInUse;
  readonly history: RenewalTimesOptions['history'];
  readonly source: RosterSource;
  readonly whereabouts: Whereabouts;
  /** Keeps the peers in use over a restart; absent: they are forgotten. */
  readonly peersFile?: PeersFile | undefined;
  readonly revocations: Revocations;
  readonly voice: Voice;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly node: NodeName;
  readonly periodMs: number;
  readonly renewMs: number;
  readonly maxStalenessMs: number;
  /** The snapshot of the data plane must be made anew. */
  readonly onChange: () => void;
  /** Resolves when the data plane knows what is known now. */
  readonly told: () => Promise<void>;
}

export class EpochPlane {
  readonly #o: PlaneOptions;
  readonly #serial: Serial;
  readonly #refusals: Log;
  readonly #revoking: Revoking;
  readonly #hearing: Hearing;
  readonly #meeting: Meeting;
  readonly #renewals: RenewalTimes;
  #lost = false;
  /** Slots in a row at which the newest chain was not here. */
  #missing = 0;
  readonly #seen = new SeenSoFar();
  #timer: SlotTimer | undefined;

  constructor(options: PlaneOptions) {
    this.#o = options;
    this.#serial = new Serial(options.log);
    this.#renewals = new RenewalTimes(options);
    this.#refusals = limitedLog(options.log, options.clock);
    this.#revoking = new Revoking({ ...options, serial: this.#serial, refusals: this.#refusals });
    const { membership, conductor, onChange } = options;
    this.#hearing = new Hearing({
      ...options,
      onPresence: (message) =>
        this.#serial.addMessage('presence', message, async (value) => {
          if (!membership.hearPresence(value)) return;
          const from = claimedSender(value)?.node as NodeName;
          await conductor.onSealKey(from, this.#slot());
          onChange();
        }),
      onWorkloads: (message) =>
        this.#serial.addMessage('workloads', message, async (value) => {
          if (membership.hearDirectory(value)) onChange();
        }),
    });
    this.#meeting = new Meeting({ ...options, follow: () => this.#followAnew() });
  }

  get seen(): Seen {
    return this.#seen.all;
  }

  /** True while the newest roster lists one of this node's statements. */
  get admitted(): boolean {
    return this.#o.own.isIn(this.#o.follower.roster);
  }

  /** True once no record came for longer than the owners allow. */
  get stale(): boolean {
    return this.#o.follower.silenceMs > this.#o.maxStalenessMs;
  }

  start(): void {
    const { bus, subjects, node } = this.#o;
    bus.subscribe(subjects.record, MESSAGE_BYTES.record, (message) =>
      this.#serial.addMessage('record', message, async (value) => {
        if (await this.#o.follower.take(value)) await this.#onRecord();
      }),
    );
    bus.subscribe(subjects.sealed(node), MESSAGE_BYTES.sealed, (message) =>
      this.#serial.addMessage('sealed', message, (value) => this.#onSealed(value)),
    );
    this.#meeting.start();
    this.#revoking.start();
    bus.onConnect(() => this.#serial.add('connect', () => this.#onConnect()));
    this.#timer = new SlotTimer({
      ...this.#o,
      isConducting: () => this.#o.conductor.leading,
      onSlot: () => this.#onSlot(),
      onRound: (isConducting) => this.#serial.add('round', () => this.#onRound(isConducting)),
      onConducting: () => this.#serial.add('conduct', () => this.#conduct()),
    });
  }

  /** The pods of this node changed: the others are told. */
  directoryChanged(): void {
    this.#serial.add('directory', () => this.#o.voice.speak());
  }

  /**
   * Whether a node has a pod at an address that no peer in use has; it is one then, and the data plane knows.
   * Undefined: that could not be learned.
   */
  whereIs(address: string): Promise<boolean | undefined> {
    return this.#meeting.whereIs(address);
  }

  /** Connections are with these peers. */
  using(nodes: readonly NodeName[]): void {
    const { inUse, peers } = this.#o;
    for (const node of nodes) inUse.use(node);
    if (nodes.some((node) => !peers.get(node))) this.#serial.add('follow', () => this.#follow());
  }

  /** Takes a revocation from an owner and tells the others. Errors: those of Revoking.revoke. */
  revoke(document: unknown): Promise<Revoked> {
    return this.#revoking.revoke(document);
  }

  /** Takes a record that this node, as conductor, has just published. */
  async applied(record: EpochRecord): Promise<void> {
    await this.#o.follower.apply(record);
    await this.#onRecord();
  }

  /** Waits until what it was told, and what it has to do by now, is done. */
  settled(): Promise<void> {
    return this.#serial.settled();
  }

  async close(): Promise<void> {
    this.#timer?.stop();
    await this.#serial.close();
    if (this.#o.conductor.leading) await this.#o.conductor.resign('this agent stops');
  }

  #slot(): Slot {
    return this.#o.slots.slot(this.#o.periodMs);
  }

  async #onConnect(): Promise<void> {
    const { attestor, conductor, follower, bus, subjects, node, own, voice, random } = this.#o;
    const { newest, roster } = follower;
    const isSigner = newest?.conductor.node === node;
    follower.kept.onConnect(newest, { isSigner, members: roster.rows.length, random: random() });
    this.#revoking.onConnect();
    this.#o.membership.onConnect();
    await attestor.onConnect();
    await conductor.onConnect();
    await follower.catchUp();
    await this.#onRecord();
    const sealed = await bus.last(subjects.streams.sealed, subjects.sealed(node));
    if (sealed !== undefined && own.listed.length > 0) await this.#onSealed(sealed);
    this.#renewals.askSoon();
    await this.#attest();
    voice.repeat();
    await voice.speak();
  }

  /** What has to be done at the beginning of a slot, and waits for nothing: not behind what the queue waits for. */
  #onSlot(): void {
    try {
      this.#beginSlot();
    } catch (thrown) {
      this.#reportStep('slot', thrown);
    }
  }

  #beginSlot(): void {
    const { keeper, slots, membership, onChange, log } = this.#o;
    watchClock(slots, log);
    const nowMs = slots.timeMs(); // with what was slept
    keeper.advance(nowMs);
    this.#seen.slot(keeper.inEffect(nowMs));
    membership.expire();
    onChange();
  }

  /** Once in a slot. */
  #conduct(): Promise<void> {
    return this.#step('conductor', () => this.#o.conductor.onSlot(this.#slot()));
  }

  /** The rest, once in a slot. */
  async #onRound(isConducting: boolean): Promise<void> {
    const { slots, follower, voice, onChange } = this.#o;
    const nowMs = slots.timeMs();
    await this.#step('presence', () => voice.speak());
    await this.#step('roster', async () => {
      const hasMoved = await follower.onRound();
      const isLoaded = !follower.rosterCurrent && (await follower.loadRoster());
      if (hasMoved || isLoaded) await this.#onRecord();
    });
    await this.#step('records', () => this.#putBack());
    if (!isConducting) await this.#conduct();
    await this.#step('attestation', () => this.#attest());
    await this.#step('resync', () => this.#resyncIfLost());
    this.#revoking.onRound();
    void this.#meeting.meetAgain();
    if (!this.#o.inUse.areAll(follower.roster)) await this.#o.peersFile?.keep(this.#o.inUse.all());
    this.#settle(nowMs);
    onChange();
  }

  /** Before this node conducts: what a bus lost comes before what is new. */
  async #putBack(): Promise<void> {
    const { bus, subjects, follower, log } = this.#o;
    const count = await follower.kept.onRound(bus, subjects);
    if (count === 0) return;
    log.info('records.put-back', { count, text: `the bus had lost ${count} records: put back` });
  }

  /** Listens to the peers in use, then examines those that are new. */
  async #follow(): Promise<void> {
    const { follower, membership, inUse } = this.#o;
    const { roster } = follower;
    this.#hearing.listenTo(inUse.areAll(roster) ? 'all' : inUse.of(roster));
    await membership.follow();
    this.#o.onChange();
  }

  /** The same for peers that have just come to be used. */
  async #followAnew(): Promise<void> {
    await new Promise<void>((resolve) => {
      const follow = (): Promise<void> => this.#follow().finally(resolve);
      if (!this.#serial.add('follow', follow)) resolve();
    });
    await this.#o.told();
  }

  /** One part of a slot: what fails is reported and does not take the others with it. */
  async #step(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (thrown) {
      this.#reportStep(what, thrown);
    }
  }

  #reportStep(what: string, thrown: unknown): void {
    const error = asTidelockError(thrown, `epochs.${what}`);
    this.#o.log.error('slot.step', { what, error });
  }

  /** Forgets what a settled change has made useless. */
  #settle(nowMs: number): void {
    const { peers, keeper, own, renewMs, maxStalenessMs } = this.#o;
    const inEffect = keeper.inEffect(nowMs);
    peers.settle(inEffect, (id) => keeper.get(id) !== undefined, nowMs, maxStalenessMs);
    own.settle(inEffect, peers.all(), nowMs - maxStalenessMs - renewMs);
    peers.forgetPairs(own.addressable);
  }

  async #onRecord(): Promise<void> {
    const { follower, own, voice } = this.#o;
    const { newest, roster, rosterCurrent } = follower;
    if (!newest || !rosterCurrent) return;
    own.follow(roster, newest);
    await this.#follow();
    await voice.speakIfNew();
    if (this.admitted || this.#renewals.asked) return;
    this.#renewals.askSoon(); // somebody conducts who could not be asked before: no need to wait for the slot
    await this.#attest();
  }

  async #onSealed(document: unknown): Promise<void> {
    const { follower } = this.#o;
    // An answer may overtake the record that says who conducts.
    if (!follower.newest) await follower.catchUp();
    const unsealed = await takeSealed(document, { ...this.#o, log: this.#refusals });
    if (unsealed === 'ignored') return;
    this.#lost = unsealed === 'failed';
    // With the next seal key: after a root that has time until the next round, when not everybody has just got one.
    if (unsealed !== 'root') await this.#o.voice.speak();
    this.#o.onChange();
  }

  /** Asks for the live chains when the newest one has been missing for more than a slot. */
  async #resyncIfLost(): Promise<void> {
    const { follower, keeper, attestor, conductor, own, log } = this.#o;
    const { newest } = follower;
    const speaker = own.listed[0]?.own;
    if (!newest || !speaker || conductor.leading || !this.admitted) return;
    this.#missing = keeper.get(newest.chainId) ? 0 : this.#missing + 1;
    if (!this.#lost && this.#missing < 2) return; // its root may be on the way
    const answer = await attestor.resync(speaker);
    if ('refused' in answer) {
      log.warn('chains.resync', { text: `cannot get back in step: ${answer.refused}` });
    } else if (answer.sealed !== undefined) {
      log.info('chains.resync', { text: 'chains sealed anew' });
      await this.#onSealed(answer.sealed);
    }
  }

  /** Runs an attestation round when one is due. */
  async #attest(): Promise<void> {
    const { attestor, bus, conductor, follower, keeper, own, voice } = this.#o;
    const { current } = attestor;
    const isUnlisted = current !== undefined && !own.isListed(current);
    if (!this.#renewals.isDue(!conductor.leading && (!this.admitted || isUnlisted))) {
      return attestor.look();
    }
    const reuse = isUnlisted || (current !== undefined && !bus.connected);
    const { newest } = follower;
    const needsChains = newest === undefined || keeper.get(newest.chainId) === undefined;
    const result = await attestor.round(reuse, needsChains);
    this.#renewals.note(result);
    const good = result.outcome === 'attested';
    if (good) {
      if (result.sealed !== undefined) await this.#onSealed(result.sealed);
    } else if (!attestor.current) {
      await voice.withdraw(attestor.state.reason || 'its evidence fails');
      own.forgetListed();
      if (conductor.leading) await conductor.resign('its own evidence fails');
    }
    this.#o.onChange();
  }
}
