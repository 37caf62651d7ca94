// The epoch plane of one agent: keeps its statement attested, its chains in step and its view of the
// others current. It owns order and timing; what each message means is in the files beside it.
import { slotAt, type ChainId, type NodeName, type Sid, type Slot } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { generateSealKey } from '#agent/base/asymmetric.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Attestor } from './attestor.ts';
import type { Bus } from './bus.ts';
import type { Conductor } from './conductor.ts';
import { openDirectory, signDirectory, type Directory } from './directory.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import type { ChainKeeper } from './keeper.ts';
import { PeerBook, type OwnListed } from './peers.ts';
import { claimedSender, openPresence, signPresence } from './presence.ts';
import { newestFirst, type EpochRecord } from './record.ts';
import type { RosterRow } from './rosterSource.ts';
import { claimedSealer, openEnvelope, openSecrets, sealKeyName } from './sealed.ts';
import { Serial } from './serial.ts';
import type { Subjects } from './subjects.ts';

export interface PlaneOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly attestor: Attestor;
  readonly conductor: Conductor;
  readonly examiner: Examiner;
  readonly follower: RecordFollower;
  readonly keeper: ChainKeeper;
  readonly peers: PeerBook;
  readonly ownStatements: OwnListed[];
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly node: NodeName;
  readonly periodMs: number;
  readonly renewMs: number;
  readonly maxStalenessMs: number;
  /** What this node's directory says of its lane port and pods. */
  readonly directory: () => Pick<Directory, 'lane' | 'pods'>;
  /** The snapshot of the data plane must be made anew. */
  readonly onChange: () => void;
}

/** A node that is not listed after this many slots asks again. */
const LISTED_WITHIN_SLOTS = 3;
const MAX_REASON_CHARS = 1000;
/** At most a few chains take effect in one slot. */
const NEW_IN_A_SLOT = 3;
/** Records are missing, not late, after this many periods without one. */
const SILENT_PERIODS = 3;

export class EpochPlane {
  readonly #o: PlaneOptions;
  readonly #serial: Serial;
  readonly #closing = new AbortController();
  #seq = 0;
  #directorySeq = 0;
  #directoryText = '';
  /** Monotonic: when the attestation is renewed, and when admission is asked for again. */
  #renewAtMs = 0;
  #askAtMs = 0;
  #asked = false;
  #resync = false;
  #slotsSeen = 0;
  readonly #chainsSeen = new Set<ChainId>();
  readonly #algorithmsSeen = new Set<number>();
  #cancelTimer: () => void = () => undefined;

  constructor(options: PlaneOptions) {
    this.#o = options;
    this.#serial = new Serial(options.log);
  }

  /** Since the start: slots lived through, chains that took effect, and their algorithms. */
  get seen(): {
    readonly slots: number;
    readonly chains: number;
    readonly algorithms: readonly number[];
  } {
    return {
      slots: this.#slotsSeen,
      chains: this.#chainsSeen.size,
      algorithms: [...this.#algorithmsSeen],
    };
  }

  /** Own statements that a record listed, newest first. */
  get listed(): readonly OwnListed[] {
    return this.#o.ownStatements.filter((own) => own.listedBy !== undefined);
  }

  /** True while the newest roster lists one of this node's statements. */
  get admitted(): boolean {
    const own = new Set(this.#o.ownStatements.map(({ own }) => own.statement.sid));
    return this.#o.follower.roster.some(({ row }) => own.has(row.sid));
  }

  /** True once no record came for longer than the owners allow. */
  get stale(): boolean {
    return this.#o.follower.silenceMs > this.#o.maxStalenessMs;
  }

  start(): void {
    const { bus, subjects, node } = this.#o;
    const queue = (what: string, handler: (value: unknown) => Promise<void>) => (value: unknown) =>
      this.#serial.add(what, () => handler(value));
    bus.subscribe(
      subjects.record,
      queue('record', async (value) => {
        if (await this.#o.follower.take(value)) await this.#onRecord();
      }),
    );
    bus.subscribe(
      subjects.sealed(node),
      queue('sealed', (value) => this.#onSealed(value)),
    );
    bus.subscribe(
      subjects.every.presence,
      queue('presence', (value) => this.#onPresence(value)),
    );
    bus.subscribe(
      subjects.every.workloads,
      queue('workloads', async (value) => this.#onDirectory(value)),
    );
    bus.onConnect(() => this.#serial.add('connect', () => this.#onConnect()));
    this.#arm();
  }

  #arm(): void {
    if (this.#closing.signal.aborted) return;
    const { clock, slots, periodMs } = this.#o;
    this.#cancelTimer = clock.after(slots.untilNextMs(periodMs), () => {
      this.#serial.add('slot', () => this.#onSlot());
      this.#arm();
    });
  }

  async #onConnect(): Promise<void> {
    const { follower, bus, subjects, node } = this.#o;
    await follower.catchUp();
    await this.#onRecord();
    const sealed = await bus.last(subjects.streams.sealed, subjects.sealed(node));
    if (sealed !== undefined && this.listed.length > 0) await this.#onSealed(sealed);
    this.#askAtMs = 0;
    this.#directoryText = '';
    await this.#attest();
    await this.#speak();
  }

  async #onSlot(): Promise<void> {
    const { keeper, peers, slots, conductor, follower, ownStatements, periodMs, log } = this.#o;
    const nowMs = slots.timeMs();
    const slot = slotAt(nowMs, periodMs);
    this.#slotsSeen += 1;
    const step = slots.step();
    if (step) {
      const text = `the wall clock is ${Math.round(step.offsetMs)} ms off slot time and is not followed`;
      log.warn('clock.step', { offsetMs: step.offsetMs, text });
    }
    keeper.advance(nowMs);
    for (const { id, algorithm } of keeper.inEffect(nowMs).slice(0, NEW_IN_A_SLOT)) {
      this.#chainsSeen.add(id);
      this.#algorithmsSeen.add(algorithm);
    }
    this.#expire();
    this.#o.onChange(); // the new slot reaches the data plane before anything slow is done
    await this.#speak();
    if (!follower.rosterCurrent && (await follower.loadRoster())) await this.#onRecord();
    await conductor.onSlot(slot);
    await this.#attest();
    await this.#resyncIfLost(nowMs, slot);
    peers.settle(keeper.inEffect(nowMs), (id) => keeper.get(id) !== undefined, nowMs);
    this.#settleOwn();
    peers.forgetPairs(ownStatements);
    this.#o.onChange();
  }

  /** Takes a record that this node, as conductor, has just published. */
  async applied(record: EpochRecord): Promise<void> {
    await this.#o.follower.apply(record);
    await this.#onRecord();
  }

  /** Follows the newest record's roster: who came, who renewed, who left. */
  async #onRecord(): Promise<void> {
    const { follower, peers, examiner, node, ownStatements } = this.#o;
    const { newest, roster, rosterCurrent } = follower;
    if (!newest || !rosterCurrent) return;
    if (this.listed.length > 0 && !this.admitted) this.#forgetOwn(); // put out: no peer takes them
    for (const own of ownStatements) {
      if (roster.some(({ row }) => row.sid === own.own.statement.sid)) own.listedBy ??= newest;
    }
    const others = roster.filter(({ row }) => row.node !== node);
    for (const state of peers.all()) {
      if (!others.some(({ row }) => row.node === state.node)) {
        if (state.accepted.length > 0) this.#left(state.node, 'is not in the roster any more');
        else peers.refuse(state.node, `${state.node} is not in the roster`);
      }
    }
    // Joins are few: all peers are examined at once, so that nodes that never spoke can during an outage.
    for (const member of others) {
      if (peers.acceptedStatement(member.row.node, member.row.sid)) continue;
      if (peers.isWithdrawn(member.row.sid)) continue;
      const examined = await examiner.examine(member.row.node, member.row.sid);
      if (examined.known && acceptable(examined.appraisal)) {
        await this.#accepted(member, examined);
      } else {
        const why = examined.known ? `is ${examined.appraisal.verdict}` : examined.why;
        this.#left(member.row.node, `was not accepted here: ${why}`);
      }
    }
    this.#o.onChange();
    if (this.listed.length > 0) await this.#speak();
    if (this.admitted || this.#asked) return;
    this.#askAtMs = 0; // somebody conducts who could not be asked before: no need to wait for the slot
    await this.#attest();
  }

  async #accepted(
    { row, entry }: RosterRow,
    { statement, appraisal }: Extract<Awaited<ReturnType<Examiner['examine']>>, { known: true }>,
  ): Promise<void> {
    const { peers, follower, bus, subjects, log } = this.#o;
    const known = peers.get(row.node)?.accepted.length ?? 0;
    const listedBy = follower.newest;
    if (!listedBy) return;
    peers.accept(row.node, { statement, entry, appraisal, listedBy });
    if (known === 0)
      log.info('peer.accepted', { node: row.node, text: `${row.node} is ${appraisal.verdict}` });
    const { streams } = subjects;
    const presence = await bus.last(streams.presence, subjects.presence(row.node));
    if (presence !== undefined) await this.#onPresence(presence);
    const directory = await bus.last(streams.workloads, subjects.workloads(row.node));
    if (directory !== undefined) this.#onDirectory(directory);
  }

  #left(node: NodeName, why: string): void {
    const { peers, log } = this.#o;
    const had = (peers.get(node)?.accepted.length ?? 0) > 0;
    peers.refuse(node, `${node} ${why}`);
    if (had) log.warn('peer.left', { node, text: `${node} ${why}; its lanes are cut` });
  }

  /** Ends the admission of peers whose attestation ran out (PROTOCOL 3.5). */
  #expire(): void {
    const { peers, follower, clock, periodMs, maxStalenessMs } = this.#o;
    const silent = follower.silenceMs > SILENT_PERIODS * periodMs;
    const graceMs = silent ? maxStalenessMs - follower.silenceMs : 0;
    for (const state of peers.all()) {
      const [newest] = state.accepted;
      if (!newest || newest.entry.expiresAt + Math.max(0, graceMs) > clock.wallMs()) continue;
      if (graceMs <= 0) this.#left(state.node, 'did not renew its attestation in time');
    }
  }

  async #onPresence(document: unknown): Promise<void> {
    const { peers, keeper, slots, conductor, periodMs, node } = this.#o;
    const claim = claimedSender(document);
    if (!claim || claim.node === node) return;
    const known = peers.acceptedStatement(claim.node as NodeName, claim.sid as Sid);
    if (!known) return;
    const nowMs = slots.timeMs();
    try {
      const presence = openPresence(document, known.statement.sign);
      if (!peers.hear(presence, keeper.confirmed(presence, nowMs), nowMs)) return;
      if (presence.withdrawn !== undefined) {
        const { sid, withdrawn } = presence;
        this.#left(presence.node, `withdrew: ${withdrawn}`);
        peers.withdraw(presence.node, sid, `${presence.node} withdrew: ${withdrawn}`);
        conductor.onWithdrawal(presence.node, sid, withdrawn);
        this.#o.onChange();
        return;
      }
    } catch (cause) {
      this.#o.log.warn('presence.refused', { node: claim.node, text: messageOf(cause) });
      return;
    }
    await conductor.onSealKey(slotAt(nowMs, periodMs));
    this.#o.onChange();
  }

  #onDirectory(document: unknown): void {
    const { peers, node, log } = this.#o;
    const claim = claimedSender(document);
    if (!claim || claim.node === node) return;
    const known = peers.acceptedStatement(claim.node as NodeName, claim.sid as Sid);
    if (!known) return;
    try {
      const directory = openDirectory(document, known.statement.sign);
      const state = peers.peer(directory.node);
      const older = state.directory?.sid === directory.sid && state.directory.seq > directory.seq;
      if (!older) state.directory = directory;
    } catch (cause) {
      log.warn('directory.refused', { node: claim.node, text: messageOf(cause) });
      return;
    }
    this.#o.onChange();
  }

  /** A sealed message for this node, from its own subject or with an answer of the conductor. */
  async #onSealed(document: unknown): Promise<void> {
    const { examiner, keeper, ownStatements, log } = this.#o;
    const sealer = claimedSealer(document);
    if (!sealer) return;
    const examined = await examiner.examine(sealer.node, sealer.sid);
    if (!examined.known || !acceptable(examined.appraisal)) {
      const why = examined.known ? `is ${examined.appraisal.verdict}` : examined.why;
      log.warn('sealed.refused', {
        node: sealer.node,
        text: `a sealed message is refused: ${sealer.node} ${why}`,
      });
      return;
    }
    try {
      const envelope = openEnvelope(document, examined.statement.sign);
      const own = ownStatements.find(({ own }) => own.statement.sid === envelope.sid)?.own;
      if (!own || sealKeyName(own.seal.public) !== envelope.sealKey) return; // used already, or not ours
      const { seal } = own;
      own.seal = await generateSealKey();
      const secrets = await openSecrets(envelope, seal);
      for (const chain of secrets.chains) keeper.adopt(chain);
      if (
        secrets.root !== undefined &&
        !keeper.giveRoot(envelope.recordHash, fromB64url(secrets.root))
      ) {
        log.error('generation.refused', {
          node: sealer.node,
          text: `${sealer.node} sealed a root that is not the one its record commits to; it is not used`,
        });
      }
      this.#resync = false;
    } catch (cause) {
      this.#resync = true;
      log.warn('sealed.refused', { node: sealer.node, text: messageOf(cause) });
    }
    await this.#speak();
    this.#o.onChange();
  }

  async #resyncIfLost(nowMs: number, slot: Slot): Promise<void> {
    const { follower, keeper, attestor, conductor, log } = this.#o;
    const { newest } = follower;
    const own = this.listed[0]?.own;
    if (!newest || !own || conductor.leading || !this.admitted) return;
    const due = newest.atSlot - slotAt(nowMs, newest.periodMs) <= 1;
    if (!this.#resync && (keeper.get(newest.chainId) || !due)) return;
    const refused = await attestor.resync(own);
    const text =
      refused === undefined ? 'chains sealed anew' : `cannot get back in step: ${refused}`;
    log[refused === undefined ? 'info' : 'warn']('chains.resync', { slot, text });
  }

  /** Runs an attestation round when one is due. */
  async #attest(): Promise<void> {
    const { attestor, conductor, keeper, clock, renewMs, periodMs, ownStatements, random } =
      this.#o;
    const nowMs = clock.monoMs();
    const waiting = !this.admitted && !conductor.leading;
    if (nowMs < this.#renewAtMs && !(waiting && nowMs >= this.#askAtMs)) return;
    const current = attestor.current;
    const unlisted = current !== undefined && !this.listed.some(({ own }) => own === current);
    const result = await attestor.round(unlisted, keeper.chains().length === 0);
    const good = result.outcome === 'attested';
    if (good && !ownStatements.some(({ own }) => own === result.own)) {
      ownStatements.unshift({ own: result.own, listedBy: undefined });
    }
    if (good && result.sealed !== undefined) await this.#onSealed(result.sealed);
    const soonMs = clock.monoMs() + periodMs / 2; // in effect: at the next slot
    this.#renewAtMs = good ? clock.monoMs() + renewMs * (0.9 + 0.1 * random()) : soonMs;
    this.#asked = good && result.asked;
    this.#askAtMs = this.#asked ? soonMs + LISTED_WITHIN_SLOTS * periodMs : soonMs;
    this.#o.onChange();
    if (attestor.current) return;
    await this.#speak(attestor.state.reason);
    this.#forgetOwn();
    if (conductor.leading) await conductor.resign('its own evidence fails');
  }

  /** Drops every listed statement: what is drawn next stands alone. */
  #forgetOwn(): void {
    const { ownStatements } = this.#o;
    ownStatements.splice(0, ownStatements.length, ...ownStatements.filter((own) => !own.listedBy));
  }

  /** Drops own statements that every peer has moved on from, or that are too old to matter. */
  #settleOwn(): void {
    const { ownStatements, keeper, peers, slots, maxStalenessMs } = this.#o;
    const [newest] = this.listed;
    if (!newest?.listedBy) return;
    const { listedBy } = newest;
    const nowMs = slots.timeMs();
    const behind = peers
      .all()
      .some(
        (peer) =>
          peer.accepted.length > 0 &&
          !keeper
            .inEffect(nowMs)
            .some((c) => newestFirst(c, listedBy) <= 0 && peer.confirmed.has(c.id)),
      );
    for (const own of [...ownStatements]) {
      const superseded = own.listedBy !== undefined && newestFirst(listedBy, own.listedBy) < 0;
      const old = nowMs - own.own.statement.issuedAtMs > maxStalenessMs + this.#o.renewMs;
      if (superseded && (!behind || old)) ownStatements.splice(ownStatements.indexOf(own), 1);
    }
  }

  /**
   * Publishes presence, and the directory when it changed, under the newest listed statement.
   * With `withdrawn` it is the last word of that statement, and says why.
   */
  async #speak(withdrawn?: string): Promise<void> {
    const { bus, subjects, keeper, slots, clock, node } = this.#o;
    const own = this.listed[0]?.own;
    if (!own || !bus.connected) return;
    const nowMs = slots.timeMs();
    const { sid } = own.statement;
    const presence = signPresence(
      {
        v: 1,
        node,
        sid,
        seq: ++this.#seq,
        nextSeal: b64url(own.seal.public),
        chains: keeper.announce(node, sid, nowMs),
        clockOffsetMs: Math.round(clock.wallMs() - nowMs),
        hop: 0,
        ...(withdrawn === undefined ? {} : { withdrawn: withdrawn.slice(0, MAX_REASON_CHARS) }),
      },
      own.sign,
    );
    await bus.publish(subjects.presence(node), presence);
    if (withdrawn !== undefined) return;
    const said = JSON.stringify([sid, this.#o.directory()]);
    if (said === this.#directoryText) return;
    const directory = {
      v: 1 as const,
      node,
      sid,
      seq: ++this.#directorySeq,
      ...this.#o.directory(),
    };
    if (await bus.publish(subjects.workloads(node), signDirectory(directory, own.sign))) {
      this.#directoryText = said;
    }
  }

  /** The pods of this node changed: the others are told. */
  directoryChanged(): void {
    this.#serial.add('directory', () => this.#speak());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelTimer();
    await this.#serial.close();
    if (this.#o.conductor.leading) await this.#o.conductor.resign('this agent stops');
  }
}
