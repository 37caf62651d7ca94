// Follows the conductor's records (PROTOCOL 4): finds the signer's key, verifies, judges, reads back
// what was missed, and keeps the roster of the newest one. It never speaks on the bus.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { slotPlus, type NodeName, type Sid } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { limitedLog } from '#agent/limitedLog.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Bus } from './bus.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { RecordHistory } from './history.ts';
import { KeptRecords, MAX_LOOK_BACK, peek } from './keptRecords.ts';
import type { ChainKeeper } from './keeper.ts';
import {
  claimedConductor,
  judgeRecord,
  newestFirst,
  openRecord,
  SLOTS_AHEAD,
  type EpochRecord,
  type RecordLimits,
} from './record.ts';
import { Members } from './members.ts';
import type { RosterSource } from './rosterSource.ts';
import type { OwnStatement } from './statement.ts';
import type { Subjects } from './subjects.ts';

export interface FollowerOptions {
  readonly bus: Pick<Bus, 'connected' | 'count' | 'history'>;
  readonly subjects: Subjects;
  readonly examiner: Pick<Examiner, 'examine'>;
  readonly keeper: ChainKeeper;
  readonly history: RecordHistory;
  readonly source: Pick<RosterSource, 'load'>;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RecordLimits;
  /** Records that evidence may be based on reach back this far. */
  readonly lookBackMs: number;
  /** This node's statement of that sid, whose key needs no examination. */
  readonly ownStatement: (sid: Sid) => OwnStatement | undefined;
}

/** Stored records whose signer is looked up in one catch-up. */
const MAX_CANDIDATES = 8;
/** After so many the stored records are nobody's any more: a cluster that was all down starts anew. */
const MAX_TRIES = 6;
/** What claims to be newer and cannot be followed is looked into again after at most so many slots. */
const MAX_REST = 32;

export class RecordFollower {
  readonly #o: FollowerOptions;
  readonly #refusals: Log;
  #newest: EpochRecord | undefined;
  #lastRecordMonoMs: number | undefined;
  #roster: Members | undefined;
  #accepted = 0;
  #refused = 0;
  #empty = false;
  #tries = 0;
  /** Somebody said a record that claims to be newer and could not be taken as it came. */
  #behind = false;
  /** Slots until that is looked into, and how many it was the last time. */
  #rest = 0;
  #rested = 0;
  /** The newest records as they were signed. */
  readonly kept: KeptRecords;

  constructor(options: FollowerOptions) {
    this.#o = options;
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
    if (claimed && this.#o.history.has(claimed.hash)) return false; // seen before
    const isFirst = this.#newest === undefined;
    const counted = await this.#takeNew(document);
    if (counted && isFirst) await this.catchUp(); // the oldest, maybe, of many that are put back
    if (!counted && claimed && this.#isNewer(claimed)) this.#behind = true;
    return counted;
  }

  async #takeNew(document: unknown): Promise<boolean> {
    const claim = claimedConductor(document);
    if (!claim || claim.term < (this.#newest?.term ?? 0)) return this.#refuse('lower-term');
    const key = await this.#keyOf(claim.node, claim.sid);
    if (key === undefined) return this.#refuse(`its conductor ${claim.node} is not attested here`);
    let record: EpochRecord;
    try {
      record = openRecord(document, key);
    } catch (cause) {
      return this.#refuse(asTidelockError(cause, 'record.open').message);
    }
    this.#keepTime(record);
    const refusal = this.#judge(record);
    if (refusal === 'generation-jump' && this.#isNewer(record)) {
      this.#behind = true;
      await this.catchUp();
      return this.#newest?.hash === record.hash;
    }
    if (refusal !== undefined) return this.#refuse(refusal);
    await this.apply(record);
    return true;
  }

  /** Who has just made it was SLOTS_AHEAD before its slot: this node may have slept. */
  #keepTime({ atSlot, periodMs, conductor }: EpochRecord): void {
    const { slots, log } = this.#o;
    if (!slots.vouched(slotPlus(atSlot, -SLOTS_AHEAD), periodMs)) return;
    const text = `slot time was behind and follows the wall clock, which agrees with the conductor ${conductor.node}`;
    log.warn('clock.resumed', { text });
  }

  #isNewer(record: EpochRecord): boolean {
    return this.#newest !== undefined && newestFirst(record, this.#newest) < 0;
  }

  #judge(record: EpochRecord): ReturnType<typeof judgeRecord> {
    const newest = this.#newest && { ...this.#newest, conductor: this.#newest.conductor.node };
    return judgeRecord(record, newest, this.#o.limits, this.#o.slots.slot(record.periodMs));
  }

  /** Takes a record that was verified and judged. */
  async apply(record: EpochRecord): Promise<void> {
    const { keeper, history, clock } = this.#o;
    this.#accepted += 1;
    history.add(record);
    this.kept.add(record);
    if (keeper.accept(record) === 'needs-parent' && this.#newest?.hash !== record.prev) {
      await this.#fill(record);
    }
    if (this.#newest && newestFirst(record, this.#newest) >= 0) return;
    this.#newest = record;
    this.#lastRecordMonoMs = clock.monoMs();
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

  async #keyOf(node: NodeName, sid: Sid): Promise<SigningPublic | undefined> {
    const own = this.#o.ownStatement(sid);
    if (own) return own.sign.public;
    const examined = await this.#o.examiner.examine(node, sid);
    return examined.known && acceptable(examined.appraisal) ? examined.statement.sign : undefined;
  }

  /** Derives what lies between the chains held and a record whose parent was missed. */
  async #fill(record: EpochRecord): Promise<void> {
    const linked = await this.#linkedBefore(record);
    for (const missed of linked.toReversed()) {
      this.#o.history.add(missed);
      this.kept.add(missed);
      this.#o.keeper.accept(missed);
    }
    this.#o.keeper.accept(record);
  }

  /** Stored records linked to `record` by `prev`, newest first: its hash vouches for all of them. */
  async #linkedBefore(record: EpochRecord): Promise<EpochRecord[]> {
    const { bus, subjects, lookBackMs } = this.#o;
    const linked: EpochRecord[] = [];
    let wanted = record.prev;
    let after = record;
    const oldestMs = record.atSlot * record.periodMs - lookBackMs;
    for await (const document of bus.history(subjects.streams.record, MAX_LOOK_BACK)) {
      if (wanted === null) break;
      const found = peek(document);
      if (found?.hash !== wanted) continue; // garbage lies between
      if (!isBefore(found, after)) break; // the hash vouches for what was said, not for its being so
      linked.push(found);
      after = found;
      wanted = found.prev;
      if (found.atSlot * found.periodMs < oldestMs) break;
    }
    return linked;
  }

  /**
   * After a start or an outage, and until it has succeeded: reads back the newest record that can be
   * verified and what leads to it, or to what was said to be newer. Garbage on the subject is passed over.
   */
  async catchUp(): Promise<void> {
    const { bus, subjects } = this.#o;
    if (!bus.connected) return;
    this.#tries += 1;
    const isBehind = this.#behind;
    this.#behind = false;
    const stored = await bus.count(subjects.streams.record);
    this.#empty = stored === 0;
    let examined = 0;
    for await (const document of bus.history(subjects.streams.record, MAX_LOOK_BACK)) {
      const record = peek(document);
      if (!record) continue;
      if (this.#newest && !this.#isNewer(record)) {
        if (!isBehind) return;
        continue;
      }
      if (await this.#takeStored(document, record)) return;
      examined += 1;
      if (examined >= MAX_CANDIDATES) return;
    }
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

  /** The conductor's evidence is based on an older record: those are linked first, then it is judged. */
  async #takeStored(document: unknown, record: EpochRecord): Promise<boolean> {
    const { keeper, history, limits, slots } = this.#o;
    const linked = await this.#linkedBefore(record);
    const added = linked.filter(({ hash }) => !history.has(hash));
    for (const each of added) history.add(each);
    // It is the newer one, whatever lies between: a bus that lost its data does not have that any more.
    const refusal = judgeRecord(record, undefined, limits, slots.slot(record.periodMs));
    if (refusal !== undefined || !(await this.#open(document, record))) {
      for (const { hash } of added) history.remove(hash);
      return false;
    }
    for (const missed of linked.toReversed()) {
      this.kept.add(missed);
      keeper.accept(missed);
      if (!this.#newest || newestFirst(missed, this.#newest) < 0) this.#newest = missed;
    }
    await this.apply(record);
    return true;
  }

  async #open(document: unknown, { conductor }: EpochRecord): Promise<boolean> {
    const key = await this.#keyOf(conductor.node, conductor.sid);
    if (key === undefined) return false;
    try {
      openRecord(document, key);
      return true;
    } catch {
      return false; // not signed by whom it names
    }
  }

  /**
   * False while records exist that could not be read back, or the roster of the newest is not there: who conducts then
   * forks the cluster.
   */
  get ready(): boolean {
    const isRead = this.#newest ? this.rosterCurrent : this.#empty;
    return isRead || this.#tries > MAX_TRIES;
  }

  #refuse(why: string): false {
    this.#refused += 1;
    const log = this.#refusals;
    log.warn('record.refused', { why, text: `epoch record refused: ${why}` });
    return false;
  }
}

/** Whether a record can be the one before `after`: older in the one order, and of no later time. */
const isBefore = (found: EpochRecord, after: EpochRecord): boolean =>
  newestFirst(found, after) > 0 &&
  found.atSlot * found.periodMs <= (after.atSlot + SLOTS_AHEAD) * after.periodMs;
