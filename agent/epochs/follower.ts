// Follows the conductor's records (PROTOCOL 4): finds the signer's key, verifies, judges, reads back
// what was missed, and keeps the roster of the newest one. It never speaks on the bus.
import { slotPlus, type Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { limitedLog } from '#agent/limitedLog.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Bus } from './bus.ts';
import type { RecordHistory } from './history.ts';
import { KeptRecords } from './keptRecords.ts';
import type { Acceptance, ChainKeeper } from './keeper.ts';
import {
  judgeRecord,
  newestFirst,
  SLOTS_AHEAD,
  verifyRecord,
  type EpochRecord,
  type RecordLimits,
  type RecordRefusal,
} from './record.ts';
import { Members } from './members.ts';
import { Reading } from './reading.ts';
import type { RosterSource } from './rosterSource.ts';
import { Signers, type SignersOptions } from './signers.ts';
import { effectMs, peek, type Reach } from './storedRecords.ts';
import type { Subjects } from './subjects.ts';
import { TermSlots } from './termSlots.ts';

export interface FollowerOptions extends SignersOptions {
  readonly bus: Pick<Bus, 'connected' | 'count' | 'history'>;
  readonly subjects: Subjects;
  readonly keeper: ChainKeeper;
  readonly history: RecordHistory;
  readonly source: Pick<RosterSource, 'load'>;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RecordLimits;
  /** Records that evidence may be based on reach back this far. */
  readonly lookBackMs: number;
}

/** After so many the stored records are nobody's any more: a cluster that was all down starts anew. */
const MAX_TRIES = 6;
/** What others have put back by then, it may have missed before it came (keptRecords.ts). */
const STARTING_SLOTS = 8;
/** What claims to be newer and cannot be followed is looked into again after at most so many slots. */
const MAX_REST = 32;

export class RecordFollower {
  readonly #o: FollowerOptions;
  readonly #refusals: Log;
  #newest: EpochRecord | undefined;
  #firstRecordMonoMs: number | undefined;
  #lastRecordMonoMs: number | undefined;
  #roster: Members | undefined;
  #accepted = 0;
  #refused = 0;
  #empty = false;
  #tries = 0;
  /** When the cluster's first record took effect, where this node knows of none before it. */
  #firstMs = -Infinity;
  readonly #signers: Signers;
  readonly #termSlots = new TermSlots();
  /** Somebody said a record that claims to be newer and could not be taken as it came. */
  #behind = false;
  /** Slots until that is looked into, and how many it was the last time. */
  #rest = 0;
  #rested = 0;
  /** The newest records as they were signed. */
  readonly kept: KeptRecords;

  constructor(options: FollowerOptions) {
    this.#o = options;
    this.#signers = new Signers(options);
    this.kept = new KeptRecords(options.lookBackMs);
    this.#refusals = limitedLog(options.log, options.clock);
  }

  /** The newest record in the one order of PROTOCOL 4. */
  get newest(): EpochRecord | undefined {
    return this.#newest;
  }

  /** The roster under the newest record, as far as it could be read. */
  get roster(): Members {
    return this.#roster ?? Members.none;
  }

  /** Milliseconds since a record was accepted, by the monotonic clock. */
  get silenceMs(): number {
    return this.#lastRecordMonoMs === undefined
      ? Number.POSITIVE_INFINITY
      : this.#o.clock.monoMs() - this.#lastRecordMonoMs;
  }

  /** Records that counted, since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Records that did not count. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a record from the bus. True when it counted. */
  async take(document: unknown): Promise<boolean> {
    const claimed = peek(document);
    if (!claimed) return this.#refuse('it is no record, or of an incompatible version');
    if (this.#o.history.has(claimed.hash)) return false; // seen before
    const isFirst = this.#newest === undefined;
    const counted = await this.#takeNew(claimed);
    if (counted && isFirst) await this.catchUp(); // the oldest, maybe, of many that are put back
    if (!counted && this.#isNewer(claimed)) this.#behind = true;
    return counted;
  }

  async #takeNew(record: EpochRecord): Promise<boolean> {
    if (record.term < (this.#newest?.term ?? 0)) return this.#refuse('lower-term');
    const { node } = record.conductor;
    const key = await this.#signers.keyOf(record.conductor);
    if (key === undefined) return this.#refuse(`its conductor ${node} is not attested here`);
    try {
      verifyRecord(record, key);
    } catch (cause) {
      return this.#refuse(asTidelockError(cause, 'record.open').message);
    }
    const refusal = this.#judge(record);
    const isOfConductor = record.conductor.node === this.#newest?.conductor.node;
    if (refusal === undefined || isOfConductor) this.#keepTime(record);
    if (refusal === 'generation-jump' && this.#isNewer(record)) {
      this.#behind = true;
      await this.catchUp(record);
      return this.#newest?.hash === record.hash;
    }
    if (refusal !== undefined) return this.#refuse(refusal);
    await this.apply(record);
    return true;
  }

  /** What the time is by who has just made it: he was SLOTS_AHEAD before its slot, and this node may have slept. */
  #nowBy({ atSlot, periodMs }: EpochRecord): Slot {
    const { slots } = this.#o;
    const made = slotPlus(atSlot, -SLOTS_AHEAD);
    return slots.agreesWith(made, periodMs) ? made : slots.slot(periodMs);
  }

  /** Only of who conducts, or of a record that counts: any member could else set a clock to a wall clock that is wrong. */
  #keepTime({ atSlot, periodMs, conductor }: EpochRecord): void {
    const { slots, log } = this.#o;
    if (!slots.vouched(slotPlus(atSlot, -SLOTS_AHEAD), periodMs)) return;
    const text = `slot time was behind and follows the wall clock, which agrees with the conductor ${conductor.node}`;
    log.warn('clock.resumed', { text });
  }

  #isNewer(record: EpochRecord): boolean {
    return this.#newest !== undefined && newestFirst(record, this.#newest) < 0;
  }

  #judge(record: EpochRecord): RecordRefusal | 'too-many-of-a-slot' | undefined {
    if (this.#termSlots.isFull(record)) return 'too-many-of-a-slot';
    const newest = this.#newest && { ...this.#newest, conductor: this.#newest.conductor.node };
    return judgeRecord(record, newest, this.#o.limits, this.#nowBy(record));
  }

  /** Takes a record that was verified and judged. */
  async apply(record: EpochRecord): Promise<void> {
    const isUnlinked = this.#newest?.hash !== record.prev;
    if (record.prev === null && !this.#newest) this.#firstMs = effectMs(record);
    if (this.#note(record) === 'needs-parent' && isUnlinked) await this.#fill(record);
    await this.#lead(record);
  }

  #note(record: EpochRecord): Acceptance {
    const { keeper, history } = this.#o;
    this.#accepted += 1;
    history.add(record);
    this.kept.add(record);
    this.#termSlots.add(record);
    return keeper.accept(record);
  }

  /** It is the newest record, if the one order says so. */
  async #lead(record: EpochRecord): Promise<void> {
    if (this.#newest && !this.#isNewer(record)) return;
    this.#newest = record;
    this.#lastRecordMonoMs = this.#o.clock.monoMs();
    this.#firstRecordMonoMs ??= this.#lastRecordMonoMs;
    await this.loadRoster();
  }

  /** Reads the newest record's roster, unless it is there already. */
  async loadRoster(): Promise<boolean> {
    const digest = this.#newest?.rosterDigest;
    if (digest === undefined || digest === this.#roster?.digest) return digest !== undefined;
    const members = await this.#o.source.load(digest);
    if (!members) return false;
    this.#roster = members;
    this.#tries = 0;
    return true;
  }

  /** Whether the roster in hand is that of the newest record. */
  get rosterCurrent(): boolean {
    return this.#roster !== undefined && this.#roster.digest === this.#newest?.rosterDigest;
  }

  /** Derives what lies between the chains held and a record whose parent was missed. */
  async #fill(record: EpochRecord): Promise<void> {
    const reading = this.#read();
    const linked = await reading.stored.linkedBefore(record, this.#reach(undefined));
    if (this.#takesAtItsWord()) for (const missed of linked) this.#o.history.add(missed);
    else await reading.verify(linked.toReversed());
    this.#derive(linked, reading);
    this.#o.keeper.accept(record);
  }

  #read(): Reading {
    return new Reading({ ...this.#o, signers: this.#signers });
  }

  /** Records, newest first, for which one that was verified vouches by its hash. */
  #derive(linked: readonly EpochRecord[], reading: Reading): void {
    for (const missed of linked.toReversed()) {
      this.kept.add(reading.asVerified(missed));
      this.#o.keeper.accept(missed);
    }
  }

  #reach(said: EpochRecord | undefined): Reach {
    const { limits, slots, lookBackMs } = this.#o;
    const isSound = (record: EpochRecord): boolean => {
      const isOfSaid = said?.periodMs === record.periodMs;
      const now = isOfSaid ? this.#nowBy(said) : slots.slot(record.periodMs);
      // It may be the newer one, whatever lies between: a bus that lost its data does not have that any more.
      return judgeRecord(record, undefined, limits, now) === undefined;
    };
    return { backMs: lookBackMs, isSound };
  }

  /**
   * After a start or an outage, and until it has succeeded: reads back the newest record that can be
   * verified and what leads to it, or to what was `said` to be newer. Garbage on the subject is passed over.
   */
  async catchUp(said?: EpochRecord): Promise<void> {
    const { bus, subjects } = this.#o;
    if (!bus.connected) return;
    const count = await bus.count(subjects.streams.record);
    if (count === undefined) return;
    this.#empty = count === 0;
    const isBehind = this.#behind;
    this.#behind = false;
    const reading = this.#read();
    const isWhole = await this.#takeNewest(reading, isBehind, said);
    // What was not looked at may be what this node waits for.
    if (!isWhole || !reading.stored.isAnswered) this.#behind ||= isBehind;
    else if (!this.#isRead) this.#tries += 1;
  }

  /** Takes the newest that can be of those that claim to be newer; false: not all could be looked at. */
  async #takeNewest(
    reading: Reading,
    isBehind: boolean,
    said: EpochRecord | undefined,
  ): Promise<boolean> {
    let isWhole = true;
    for (const record of this.#signers.inOrder(await this.#newerIn(reading, isBehind))) {
      if (this.#newest && !this.#isNewer(record)) continue;
      await this.#takeStored(record, reading, said);
      isWhole &&= this.#signers.wasAsked(record.conductor);
    }
    return isWhole;
  }

  /** Each once, newest first. `isBehind`: they may lie under older ones. */
  async #newerIn({ stored }: Reading, isBehind: boolean): Promise<readonly EpochRecord[]> {
    const newer = new Map<string, EpochRecord>();
    for await (const record of stored) {
      if (!this.#newest || this.#isNewer(record)) newer.set(record.hash, record);
      else if (!isBehind) break;
    }
    return [...newer.values()];
  }

  /**
   * Once in a slot: catches up where that is owed; less and less often where it is of no use, since anybody can claim
   * that a record is newer. True when the newest record is another now.
   */
  async onRound(): Promise<boolean> {
    const before = this.#newest;
    this.#rest -= 1;
    if (!this.ready) await this.catchUp();
    else if (this.#rest < 0 && !this.#behind) this.#rested = 0;
    else if (this.#rest < 0) {
      await this.catchUp();
      const isOfUse = this.#newest !== before;
      this.#rested = isOfUse ? 0 : Math.min(2 * this.#rested + 1, MAX_REST);
      this.#rest = this.#rested;
    }
    return this.#newest !== before;
  }

  /** Takes a stored record if it is genuine, or else the newest of those before it that is. */
  async #takeStored(
    record: EpochRecord,
    reading: Reading,
    said: EpochRecord | undefined,
  ): Promise<void> {
    const newest = said ?? record; // the one that may say what time it is
    const reach = this.#reach(newest);
    if (!reach.isSound(record) || this.#termSlots.isFull(record)) return;
    const linked = await reading.stored.linkedBefore(record, reach);
    const isAtItsWord = this.#takesAtItsWord();
    const genuine = isAtItsWord
      ? await reading.atItsWord(record, reach)
      : await reading.verify([...linked.toReversed(), record]);
    if (!genuine || (this.#newest && !this.#isNewer(genuine))) return;
    if (isAtItsWord) {
      for (const each of linked) this.#o.history.add(each);
      const first = linked.at(-1) ?? genuine;
      this.#firstMs = first.prev === null ? effectMs(first) : -Infinity;
    }
    if (genuine.hash === newest.hash) this.#keepTime(genuine);
    this.#derive(linked.slice(linked.findIndex(({ hash }) => hash === genuine.hash) + 1), reading);
    this.#note(genuine);
    await this.#lead(genuine);
  }

  /**
   * Whether nothing that this node knows can tell whose evidence is fresh: it has just started, or knows no record of the
   * last lifetime of an attestation, or its cluster has begun within that.
   */
  #takesAtItsWord(): boolean {
    if (!this.#newest || this.#firstRecordMonoMs === undefined) return true;
    const knowsForMs = this.#o.clock.monoMs() - this.#firstRecordMonoMs;
    if (knowsForMs <= STARTING_SLOTS * this.#newest.periodMs) return true;
    const sinceMs = this.#o.slots.timeMs() - this.#o.lookBackMs;
    return this.#firstMs >= sinceMs || effectMs(this.#newest) < sinceMs;
  }

  /**
   * False while records exist that could not be read back, or the roster of the newest is not there: who conducts then
   * forks the cluster.
   */
  get ready(): boolean {
    return this.#isRead || this.#tries > MAX_TRIES;
  }

  get #isRead(): boolean {
    return this.#newest ? this.rosterCurrent : this.#empty;
  }

  #refuse(why: string): false {
    this.#refused += 1;
    const log = this.#refusals;
    log.warn('record.refused', { why, text: `epoch record refused: ${why}` });
    return false;
  }
}
