// What becomes of revocations (PROTOCOL 3.8): heard, given by an owner, read back and said again, and what
// follows for the node that is meant. Which of them this node knows of is revocations.ts.
import { isDeepStrictEqual } from 'node:util';
import type { Revoked } from '#agent/api/revoked.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import { isInForce, voidUpTo, type Revocation } from '#attest/revocation.ts';
import type { Attestor } from './attestor.ts';
import type { Bus } from './bus.ts';
import type { Conductor } from './conductor.ts';
import { revokedText } from './enrolments.ts';
import type { Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import type { Membership } from './membership.ts';
import type { OwnStatements } from './ownStatements.ts';
import type { PeerBook } from './peers.ts';
import type { Revocations, Taken } from './revocations.ts';
import type { Serial } from './serial.ts';
import { MESSAGE_BYTES, type Subjects } from './subjects.ts';

export interface RevokingOptions {
  readonly bus: Pick<Bus, 'connected' | 'subscribe' | 'subjects' | 'last' | 'publish'>;
  readonly subjects: Subjects;
  readonly revocations: Revocations;
  readonly examiner: Pick<Examiner, 'enrolledAfter'>;
  readonly follower: Pick<RecordFollower, 'roster'>;
  readonly membership: Pick<Membership, 'revoke'>;
  readonly conductor: Pick<Conductor, 'leading' | 'onRevoked' | 'resign'>;
  readonly attestor: Pick<Attestor, 'revoked'>;
  readonly own: Pick<OwnStatements, 'isIn' | 'forgetListed'>;
  readonly peers: Pick<PeerBook, 'bar' | 'unbar'>;
  readonly serial: Pick<Serial, 'add' | 'addMessage' | 'busy' | 'closed'>;
  readonly slots: Pick<SlotClock, 'timeMs'>;
  readonly log: Log;
  /** The same, for what whoever can publish may cause. */
  readonly refusals: Log;
  readonly node: NodeName;
  readonly onChange: () => void;
}

/** What the bus holds is looked at again after so many rounds: a message may have been lost. */
const EVERY_ROUNDS = 6;
/** Of nodes that are in no roster so many are read at a time; anybody can name nodes that never were. */
const MAX_OTHERS = 256;
/** Of those that are held so many are, in turn: a newer word may have been missed, or an older one said again. */
const MAX_HELD = 64;
const MAX_SUBJECTS = 20_000;

type Followed = Pick<Revoked, 'wasMember' | 'outlivedBy'>;

export class Revoking {
  readonly #o: RevokingOptions;
  /** What of the bus is to be looked at in the next round: nothing, what is new to this node, or all. */
  #owes: 'nothing' | 'news' | 'all' = 'all';
  #isExchanging = false;
  #rounds = 0;
  #turn = 0;

  constructor(options: RevokingOptions) {
    this.#o = options;
  }

  start(): void {
    const { bus, subjects, serial, revocations, node, slots } = this.#o;
    bus.subscribe(subjects.every.revocation, MESSAGE_BYTES.revocation, (message) =>
      serial.addMessage('revocation', message, (value) => this.#hear(value)),
    );
    const own = revocations.of(node);
    if (own && isInForce(own, slots.timeMs()))
      serial.add('revoked', async () => void (await this.#follow(own)));
  }

  /** The bus is there again. */
  onConnect(): void {
    this.#owes = 'all';
    this.#exchangeSoon();
  }

  /** Once in a slot. */
  onRound(): void {
    this.#rounds += 1;
    if (this.#rounds % EVERY_ROUNDS === 0 && this.#owes === 'nothing') this.#owes = 'news';
    this.#exchangeSoon();
  }

  /**
   * Takes a revocation from an owner at once, whatever the queue waits for, and tells the others.
   * Errors: those of Revocations.take; AGENT_STOPPING.
   */
  async revoke(document: unknown): Promise<Revoked> {
    const { bus, subjects, serial } = this.#o;
    if (serial.closed) throw stopping();
    const taken = await this.#takeBeside(document);
    const subject = subjects.revocation(taken.revocation.node);
    const isPublished = taken.isNews && (await bus.publish(subject, document as Json));
    if (!isPublished) this.#owes = 'all';
    return { ...taken, isPublished };
  }

  /** What the queue is at may have found the node good before, and go on with that: then it follows once more. */
  async #takeBeside(document: unknown): Promise<Omit<Revoked, 'isPublished'>> {
    const { revocations, peers, serial } = this.#o;
    const { revocation, isNews } = await this.#keep(document);
    const { node } = revocation;
    if (!isNews) return { revocation, isNews, ...NOTHING };
    peers.bar(node);
    const again = async (): Promise<void> => {
      peers.unbar(node);
      const held = revocations.of(node);
      if (held) await this.#follow(held, true);
    };
    try {
      return { revocation, isNews, ...(await this.#follow(revocation)) };
    } finally {
      if (!serial.busy) peers.unbar(node);
      else serial.add('revoked', again);
    }
  }

  async #take(document: unknown): Promise<Omit<Revoked, 'isPublished'>> {
    const { revocation, isNews } = await this.#keep(document);
    return { revocation, isNews, ...(isNews ? await this.#follow(revocation) : NOTHING) };
  }

  async #keep(document: unknown): Promise<Taken> {
    const taken = await this.#o.revocations.take(document);
    if (taken.before) this.#sayDisplaced(taken.before, taken.revocation);
    return taken;
  }

  async #hear(document: unknown): Promise<void> {
    try {
      await this.#take(document);
    } catch (thrown) {
      const log = this.#o.refusals;
      log.warn('revocation.refused', { text: asTidelockError(thrown, 'revocation.take').message });
      this.#owes = 'all'; // it may have taken the place of one that counts
    }
  }

  /** Whoever signed a quarantine without knowing of a revocation has to say it again: of a node enrolled since it is gone. */
  #sayDisplaced(before: Revocation, { node, issuedAt }: Revocation): void {
    if (before.issuedAt <= issuedAt || !isInForce(before, this.#o.slots.timeMs())) return;
    const text = `the quarantine of ${node} does not repeat that the node was revoked before, and counts no more: say it again`;
    this.#o.log.warn('revocation.displaced', { node, text });
  }

  /** The lanes of the node are cut by the next snapshot, records or not. `isAgain`: it was reported. */
  async #follow(revocation: Revocation, isAgain = false): Promise<Followed> {
    const { node, log, conductor, attestor, own, membership, examiner, follower } = this.#o;
    const nowMs = this.#o.slots.timeMs();
    const isOver = !isInForce(revocation, nowMs);
    const over = (): Followed => (isAgain ? NOTHING : this.#release(revocation));
    if (isOver && voidUpTo(revocation) === undefined) return over();
    const outlivedBy = await examiner.enrolledAfter(revocation);
    if (outlivedBy !== undefined) {
      return isOver ? over() : { wasMember: false, outlivedBy };
    }
    const why = revokedText(revocation, nowMs);
    const text = `${revocation.node} ${why}`;
    if (!isAgain) log.warn('node.revoked', { node: revocation.node, text });
    if (revocation.node !== node) {
      const wasMember = membership.revoke(revocation.node, why);
      conductor.onRevoked(revocation.node, why);
      this.#o.onChange();
      return { wasMember };
    }
    const wasMember = own.isIn(follower.roster);
    attestor.revoked(why);
    own.forgetListed();
    this.#o.onChange();
    if (conductor.leading) await conductor.resign(why);
    return { wasMember };
  }

  /** A quarantine is over: the node is asked to prove itself, as any that is not listed, when it comes. */
  #release({ node, reason }: Revocation): Followed {
    this.#o.log.info('node.released', { node, text: `${node} may join again: ${reason}` });
    return NOTHING;
  }

  #exchangeSoon(): void {
    if (this.#owes === 'nothing' || this.#isExchanging || !this.#o.bus.connected) return;
    const what = this.#owes;
    this.#owes = 'nothing';
    this.#isExchanging = true;
    void this.#exchange(what === 'all')
      .catch((thrown: unknown) => {
        this.#owes = 'all';
        const text = asTidelockError(thrown, 'revocation.exchange').message;
        this.#o.refusals.warn('revocation.refused', { text });
      })
      .finally(() => {
        this.#isExchanging = false;
      });
  }

  /** Reads what was said while this node did not hear, and says again what the bus has lost. */
  async #exchange(all: boolean): Promise<void> {
    const { bus, subjects } = this.#o;
    const { revocation: stream } = subjects.streams;
    const named = await bus.subjects(stream, MAX_SUBJECTS);
    if (!named) {
      this.#owes = 'all';
      return;
    }
    const stored = new Map<string, unknown>();
    for (const subject of this.#worthReading(named, all)) {
      const document = await bus.last(stream, subject);
      stored.set(subject, document);
      if (document !== undefined) await this.#hearStored(document);
    }
    const present = new Set(named);
    // Looked up anew: what was stored may have been newer than what was held.
    for (const [subject, document] of this.#held()) {
      const isThere = stored.has(subject)
        ? isDeepStrictEqual(stored.get(subject), document)
        : present.has(subject);
      if (isThere) continue;
      if (!(await bus.publish(subject, document as Json))) this.#owes = 'all';
    }
  }

  /** By subject. */
  #held(): ReadonlyMap<string, unknown> {
    const { revocations, subjects } = this.#o;
    const documents = revocations.documents();
    return new Map(
      documents.map(({ revocation, document }) => [subjects.revocation(revocation.node), document]),
    );
  }

  /** In turn. Garbage that lies there is no news: it is overwritten, or of nobody. */
  #hearStored(document: unknown): Promise<void> {
    return new Promise((resolve) => {
      const task = async (): Promise<void> => {
        await this.#take(document).catch(() => undefined);
        resolve();
      };
      if (!this.#o.serial.add('revocation', task)) resolve();
    });
  }

  /** Members first, then those that are held, then as many others as may be. */
  #worthReading(present: readonly string[], all: boolean): readonly string[] {
    const { follower, subjects } = this.#o;
    const held = this.#held();
    const members = new Set(follower.roster.rows.map(({ node }) => subjects.revocation(node)));
    const others = present.filter((subject) => !held.has(subject) && !members.has(subject));
    const known = present.filter((subject) => held.has(subject));
    return [
      ...present.filter((subject) => members.has(subject) && !held.has(subject)),
      ...(all ? known : this.#nextOf(known)),
      ...others.slice(0, MAX_OTHERS),
    ];
  }

  #nextOf(subjects: readonly string[]): readonly string[] {
    if (subjects.length <= MAX_HELD) return subjects;
    const from = this.#turn % subjects.length;
    this.#turn = from + MAX_HELD;
    return [...subjects.slice(from), ...subjects.slice(0, from)].slice(0, MAX_HELD);
  }
}

const NOTHING: Followed = { wasMember: false };

const stopping = (): TidelockError =>
  new TidelockError('AGENT_STOPPING', {
    op: 'revocation.take',
    message: 'Cannot take the revocation: this agent stops',
    hint: 'Nothing was changed. Start it again, or ask the agent of another node.',
  });
