// The conductor's desk (PROTOCOL 3.1 to 3.3): gives challenges, checks evidence, keeps the roster in
// the making and says who leaves it. It signs nothing; the next record does.
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { fromB64url, hex } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { limitedLog } from '#agent/limitedLog.ts';
import type { Log } from '#agent/log.ts';
import { isAuthentic, type Appraisal } from '#attest/verify.ts';
import type { Bus } from './bus.ts';
import { Challenges } from './challenges.ts';
import { acceptable, type Examined, type Examiner } from './examiner.ts';
import {
  claimedJoiner,
  isChallengeRequest,
  openJoin,
  type ChallengeAnswer,
  type JoinAnswer,
  type JoinRequest,
} from './join.ts';
import type { ChainKeeper } from './keeper.ts';
import { Members } from './members.ts';
import { entryHash, entryOf, MAX_ROWS, type RosterEntry, type RosterRow } from './roster.ts';
import type { Patience } from './patience.ts';
import { claimedSender } from './presence.ts';
import { Quota } from './quota.ts';
import type { RosterSource } from './rosterSource.ts';
import { presenceIn, type SealKeys } from './sealKeys.ts';
import { sealFor, type Recipient, type UsedSeals } from './sealed.ts';
import { Semaphore } from './semaphore.ts';
import type { OwnStatement, Statement } from './statement.ts';
import { speakerOn, type Subjects } from './subjects.ts';

export interface AdmissionOptions {
  readonly bus: Pick<Bus, 'respond'>;
  readonly subjects: Subjects;
  readonly examiner: Pick<Examiner, 'examine' | 'examineAgain'>;
  readonly keeper: ChainKeeper;
  readonly source: Pick<RosterSource, 'load' | 'entry'>;
  readonly usedSeals: UsedSeals;
  readonly sealKeys: Pick<SealKeys, 'of'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Buffer;
  readonly patience: Pick<Patience, 'isOn'>;
  /** How long an admission lasts. */
  readonly ttlMs: number;
  readonly self: () => OwnStatement | undefined;
  /** Basis of challenges: the newest record's hash, or the policy's. */
  readonly basis: () => string;
  readonly slot: () => Slot;
}

export interface Leaving {
  readonly node: NodeName;
  readonly why: string;
}

/** Whom this conductor, or one before it, has admitted. */
interface Member {
  readonly row: RosterRow;
  /** Absent: admitted by one before it, and not examined here yet. */
  readonly examined?: {
    readonly entry: RosterEntry;
    readonly statement: Statement;
    /** By what was found here, whatever the entry of another conductor says. */
    readonly untilMs: number;
  };
}

/** Joins examined in one slot: each costs a millisecond or two. */
const MAX_JOINS_PER_SLOT = 2000;
/** Of one node: it asks twice at most, and withdraws or has its chains sealed anew. */
const MAX_JOINS_OF_EACH = 4;
/** Of those who ask, examined at a time: evidence of each may be 700 kB, before its signature is looked at. */
const EXAMINED_AT_ONCE = 16;
/** Members of the conductor before, examined in one slot. */
const MAX_EXAMINED_PER_SLOT = 256;
/** A member of whom nothing can be read for so many slots leaves. */
const MAX_UNREAD = 8;

export class AdmissionDesk {
  readonly #o: AdmissionOptions;
  readonly #members = new Map<NodeName, Member>();
  readonly #leaving = new Map<NodeName, string>();
  /** Members that renewed since the last generation began. */
  readonly #renewed = new Set<NodeName>();
  readonly #challenges: Challenges;
  readonly #refusals: Log;
  readonly #published = new Set<string>();
  /** In how many slots evidence or entry of a member could not be read. */
  readonly #unread = new Map<NodeName, number>();
  /** The roster of the last record. */
  #index = Members.none;
  readonly #joins = new Quota(MAX_JOINS_OF_EACH, MAX_JOINS_PER_SLOT);
  readonly #examining = new Semaphore(EXAMINED_AT_ONCE);

  constructor(options: AdmissionOptions) {
    this.#o = options;
    this.#challenges = new Challenges(options.clock, options.random);
    this.#refusals = limitedLog(options.log, options.clock);
  }

  /**
   * Starts from the roster of the newest record; whom it lists is examined here one after the other. False: it could
   * not be read.
   */
  async takeOver(digest: string | undefined): Promise<boolean> {
    this.#members.clear();
    this.#leaving.clear();
    this.#renewed.clear();
    this.#published.clear();
    this.#unread.clear();
    const roster = digest === undefined ? Members.none : await this.#o.source.load(digest);
    this.#index = roster ?? Members.none;
    for (const row of this.#index.rows) this.#members.set(row.node, { row });
    await this.examineSome();
    return roster !== undefined;
  }

  /** Examines members that were admitted by the conductor before: who fails here leaves. */
  async examineSome(): Promise<void> {
    const unknown = [...this.#members.values()].filter(({ examined }) => !examined);
    await Promise.all(unknown.slice(0, MAX_EXAMINED_PER_SLOT).map(({ row }) => this.#examine(row)));
  }

  async #examine(row: RosterRow): Promise<void> {
    const { examiner, source } = this.#o;
    const [examined, entry] = await Promise.all([
      examiner.examine(row.node, row.sid),
      source.entry(row.entry),
    ]);
    if (this.#members.get(row.node)?.row !== row) return; // it has renewed meanwhile
    if (examined.known && acceptable(examined.appraisal) && entry) {
      const { statement, appraisal } = examined;
      const untilMs = Math.min(entry.expiresAt, appraisal.atMs + this.#o.ttlMs);
      this.#members.set(row.node, { row, examined: { entry, statement, untilMs } });
      this.#published.add(row.entry);
      return;
    }
    // What the bus does not give now it may give in the next slot: nobody leaves for that at once, nor for evidence that
    // could not be renewed in an outage.
    const isAbsent = examined.known
      ? acceptable(examined.appraisal) || this.#o.patience.isOn
      : examined.isAbsent === true;
    const tries = (this.#unread.get(row.node) ?? 0) + 1;
    this.#unread.set(row.node, tries);
    if (isAbsent && tries < MAX_UNREAD) return;
    const isGood = examined.known && acceptable(examined.appraisal);
    const why = isGood ? 'its roster entry is not on the bus' : 'no longer attested';
    this.#leave(row.node, examined.known ? why : examined.why);
  }

  #leave(node: NodeName, why: string): void {
    if (this.#members.delete(node)) this.#leaving.set(node, why);
  }

  /** Answers challenges and joins until the returned function is called. */
  open(): () => void {
    return this.#o.bus.respond(this.#o.subjects.every.join, async (value, asked) => {
      const from = speakerOn(asked);
      if (!from) return undefined;
      if (!isChallengeRequest(value)) return this.#join(value, from);
      return value.node === from ? this.#challenge(from) : undefined;
    });
  }

  #challenge(node: NodeName): Json | undefined {
    const self = this.#o.self();
    if (!self) return undefined;
    const { node: conductor, sid } = self.statement;
    const answer: ChallengeAnswer = {
      v: 1,
      conductor: { node: conductor, sid },
      basis: this.#o.basis(),
      random: this.#challenges.give(node),
    };
    return answer;
  }

  /** What is in the name of another, or one too many of this node, costs nothing and is not answered. */
  async #join(document: unknown, from: NodeName): Promise<Json | undefined> {
    const claim = claimedJoiner(document);
    const claimed = claim ?? claimedSender(document);
    const isBehind = this.#examining.waiting >= MAX_JOINS_PER_SLOT;
    if (claimed?.node !== from || isBehind || !this.#joins.take(from, this.#o.slot())) {
      return undefined;
    }
    if (!claim) return this.#hearWithdrawal(document, from);
    const examined = await this.#examining.run(() =>
      this.#o.examiner.examineAgain(from, claim.sid),
    );
    if (!examined.known) return refuse(examined.why);
    let request: JoinRequest;
    try {
      request = openJoin(document, examined.statement.sign);
    } catch (cause) {
      return refuse(messageOf(cause));
    }
    return request.ask === 'admit'
      ? this.#admit(request, examined)
      : this.#resync(request, examined.statement);
  }

  /** A node that withdraws its statement tells who conducts: the same presence that its peers hear. */
  #hearWithdrawal(document: unknown, from: NodeName): Json | undefined {
    const statement = this.#members.get(from)?.examined?.statement;
    const withdrawn = statement && presenceIn(document, statement)?.withdrawn;
    if (!statement || withdrawn === undefined) return undefined;
    this.withdraw(statement.node, statement.sid, `withdrew: ${withdrawn}`);
    return { v: 1, ok: true, reason: '' };
  }

  async #admit(request: JoinRequest, examined: Examined & { known: true }): Promise<Json> {
    if (!this.#challenges.answer(examined.challengeRandom, request.node)) {
      return refuse('the evidence does not answer the challenge that was given');
    }
    const { appraisal, statement } = examined;
    if (!acceptable(appraisal)) {
      const why = whyNot(appraisal);
      // Only what the node's own TPM signed may cost it its place: anyone can send bad evidence.
      if (isAuthentic(appraisal)) this.#leave(request.node, why);
      return this.#turnAway(request.node, why);
    }
    // One row is kept for the conductor itself.
    if (!this.#members.has(request.node) && this.#members.size >= MAX_ROWS - 1) {
      return this.#turnAway(request.node, `the roster is full: it has ${MAX_ROWS} nodes at most`);
    }
    this.#enter(statement, examined);
    this.#o.log.info('node.admitted', {
      node: request.node,
      text: `${request.node} admitted: ${appraisal.verdict}`,
    });
    return request.needsChains ? this.#answerWithChains(request) : { v: 1, ok: true, reason: '' };
  }

  #turnAway(node: NodeName, why: string): Json {
    const log = this.#refusals;
    log.warn('node.refused', { node, text: `${node} refused: ${why}` });
    return refuse(why);
  }

  #resync(request: JoinRequest, statement: Statement): Promise<Json> | Json {
    const member = this.#members.get(request.node);
    if (member?.row.sid !== statement.sid) return refuse('this statement is not in the roster');
    return this.#answerWithChains(request);
  }

  async #answerWithChains(request: JoinRequest): Promise<Json> {
    const { keeper, clock, usedSeals, random } = this.#o;
    const self = this.#o.self();
    const seal = fromB64url(request.seal);
    const chains = keeper.sealable(clock.wallMs());
    if (!self || chains.length === 0) return { v: 1, ok: true, reason: '' };
    if (!usedSeals.claim(seal)) return refuse('this seal key was used before');
    const about = keeper.chains()[0]?.hash ?? hex(random(32));
    const { node, sid } = request;
    const sealed = sealFor(self, { node, sid, seal }, { chains }, about, this.#o.slot());
    const answer: JoinAnswer = { v: 1, ok: true, reason: '', sealed };
    return answer as Json;
  }

  /** Enters the conductor's own statement, whose evidence it has checked like any other. */
  async admitSelf(own: OwnStatement): Promise<void> {
    const { node, sid } = own.statement;
    if (this.#members.get(node)?.row.sid === sid) return;
    const examined = await this.#o.examiner.examine(node, sid);
    if (examined.known && acceptable(examined.appraisal)) this.#enter(own.statement, examined);
  }

  #enter(statement: Statement, { appraisal, evidenceDigest }: Examined & { known: true }): void {
    const entry = entryOf({
      statement,
      evidenceDigest,
      verdict: appraisal.verdict === 'affirming' ? 'affirming' : 'warning',
      conductor: this.#o.self()?.statement.sid ?? statement.sid,
      atMs: this.#o.clock.wallMs(),
      ttlMs: this.#o.ttlMs,
    });
    const { node, sid } = statement;
    const row = { node, sid, entry: entryHash(entry) };
    const untilMs = entry.expiresAt;
    this.#members.set(node, { row, examined: { entry, statement, untilMs } });
    this.#leaving.delete(node);
    this.#renewed.add(node);
  }

  /** Who leaves for cause with the next record: expired members, and those that failed. */
  leaving(nowMs: number): Leaving[] {
    const isPatient = this.#o.patience.isOn;
    for (const [node, { examined }] of this.#members) {
      if (examined && examined.untilMs <= nowMs && !isPatient) {
        this.#leave(node, 'its attestation expired');
      }
    }
    return [...this.#leaving].map(([node, why]) => ({ node, why }));
  }

  /** Takes out a member that withdrew its own statement. */
  withdraw(node: NodeName, sid: Sid, why: string): void {
    if (this.#members.get(node)?.row.sid === sid) this.#leave(node, why);
  }

  /** Takes out a node that an owner revoked. */
  revoke(node: NodeName, why: string): void {
    this.#leave(node, why);
  }

  allRenewed(): boolean {
    return this.#members.size > 0 && this.members().every((node) => this.#renewed.has(node));
  }

  /** A generation without those who left has begun. */
  generationBegan(left: readonly Leaving[]): void {
    for (const { node } of left) this.#leaving.delete(node);
    this.#renewed.clear();
  }

  members(): NodeName[] {
    return [...this.#members.keys()];
  }

  /** The newest one-use seal key of a member that was examined here: a secret is sealed to no other. */
  async recipient(node: NodeName): Promise<Recipient | undefined> {
    const statement = this.#members.get(node)?.examined?.statement;
    const key = statement && (await this.#o.sealKeys.of(statement));
    if (!key || !('withdrawn' in key)) return key;
    this.withdraw(node, statement.sid, `withdrew: ${key.withdrawn}`);
    return undefined;
  }

  /** The roster of the next record. */
  index(): Members {
    const rows = [...this.#members.values()].map(({ row }) => row);
    const put = rows.filter((row) => this.#index.get(row.node)?.entry !== row.entry);
    const gone = this.#index.rows
      .map(({ node }) => node)
      .filter((node) => !this.#members.has(node));
    if (put.length > 0 || gone.length > 0) this.#index = this.#index.changed({ put, gone });
    return this.#index;
  }

  /** Entries that are not known to be on the bus. */
  unpublished(): RosterEntry[] {
    return [...this.#members.values()].flatMap(({ row, examined }) =>
      examined && !this.#published.has(row.entry) ? [examined.entry] : [],
    );
  }

  /** Notes that an entry is on the bus. */
  published(entry: RosterEntry): void {
    if (this.#published.size > 50_000) this.#published.clear();
    this.#published.add(entryHash(entry));
  }

  /** The bus may have lost all entries. */
  unpublish(): void {
    this.#published.clear();
  }
}

const refuse = (reason: string): Json => ({ v: 1, ok: false, reason: reason.slice(0, 2000) });

/** The failed checks in words. */
export const whyNot = (appraisal: Appraisal): string =>
  appraisal.checks
    .filter((check) => check.result === 'fail')
    .map((check) => check.text)
    .join('; ') || `verdict ${appraisal.verdict}`;
