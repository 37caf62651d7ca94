// How two nodes of a large cluster come to follow each other (PROTOCOL 3.9): one looks up whose an address is, both
// examine the other, and a lane is opened when both data planes know of it. In a cluster that is known whole
// there is nothing to do.
import type { NodeName } from '#agent/base/brands.ts';
import { fromB64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Bus } from './bus.ts';
import type { RecordFollower } from './follower.ts';
import { claimedMeeter, openMeet, readMeetAnswer, signMeet, type MeetAnswer } from './meet.ts';
import type { OwnStatements } from './ownStatements.ts';
import type { PeerBook } from './peers.ts';
import type { PeersInUse } from './peersInUse.ts';
import { Quota } from './quota.ts';
import type { RosterSource } from './rosterSource.ts';
import { parseStatement } from './statement.ts';
import { speakerOn, type Subjects } from './subjects.ts';
import type { Whereabouts } from './whereabouts.ts';

export interface MeetingOptions {
  readonly bus: Pick<Bus, 'connected' | 'request' | 'respond'>;
  readonly subjects: Subjects;
  readonly follower: Pick<RecordFollower, 'roster'>;
  readonly source: Pick<RosterSource, 'entry'>;
  readonly inUse: PeersInUse;
  readonly own: Pick<OwnStatements, 'listed'>;
  readonly peers: PeerBook;
  readonly whereabouts: Pick<Whereabouts, 'claimants'>;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeName;
  readonly periodMs: number;
  /** Follows the peers in use as they are now; resolves when the data plane knows what came of it. */
  readonly follow: () => Promise<void>;
}

/** True: a followed peer has it now; false: no node has; undefined: nobody is to be reached there in the clear. */
type Found = boolean | undefined;

const ANSWER_TIMEOUT_MS = 2_000;
/** Requests to meet that are looked at in one slot, and those of one node. */
const MAX_MET_PER_SLOT = 512;
const MAX_MET_OF_EACH = 8;
/** Addresses that are looked for in a second, whatever pods ask for. */
const MAX_LOOKUPS_PER_SECOND = 200;
const SECOND_MS = 1_000;
/** A request is of about now. */
const MAX_SLOTS_OFF = 2;

export class Meeting {
  readonly #o: MeetingOptions;
  readonly #asked = new Map<string, Promise<Found>>();
  /** Nodes that are being asked to follow this one. */
  readonly #asking = new Map<NodeName, Promise<void>>();
  readonly #met = new Quota(MAX_MET_OF_EACH, MAX_MET_PER_SLOT);
  #lookups = { sinceMs: -Infinity, count: 0 };

  constructor(options: MeetingOptions) {
    this.#o = options;
  }

  start(): void {
    const { bus, subjects, node } = this.#o;
    bus.respond(subjects.meetOfAny(node), (value, asked) => this.#onMeet(value, asked));
  }

  /** Whether a node has a pod at an address; it is followed then. Each address is looked for once at a time. */
  whereIs(address: string): Promise<Found> {
    const known = this.#asked.get(address);
    if (known) return known;
    const asked = this.#find(address).finally(() => this.#asked.delete(address));
    this.#asked.set(address, asked);
    return asked;
  }

  async #find(address: string): Promise<Found> {
    const { follower, whereabouts, inUse, node } = this.#o;
    if (inUse.areAll(follower.roster)) return false;
    if (!this.#mayLookUp()) return undefined;
    const claimants = await whereabouts.claimants(address);
    if (!claimants) return undefined;
    const others = claimants.filter((each) => each !== node);
    const members = others.filter((each) => follower.roster.get(each));
    if (members.length > 0) await this.meet(members);
    const found = this.#claimed(members, address);
    // Who is no member may have been one a moment ago: its pods are reached by no lane, and not in the clear.
    return found === false && members.length < others.length ? undefined : found;
  }

  #claimed(nodes: readonly NodeName[], address: string): Found {
    const states = nodes.map((each) => this.#o.peers.get(each));
    const hasIt = states.some((state) =>
      state?.directory?.pods.some(({ ips }) => ips.includes(address)),
    );
    if (hasIt) return true;
    const areClear = states.every((state) => state?.directory && state.accepted.length > 0);
    return areClear ? false : undefined;
  }

  /** Follows these nodes and has them follow this one. */
  async meet(nodes: readonly NodeName[]): Promise<void> {
    for (const node of nodes) this.#o.inUse.use(node);
    await Promise.all([this.#o.follow(), ...nodes.map((node) => this.#ask(node))]);
  }

  /** Tells peers that this node has used for a while that it still does. */
  async meetAgain(): Promise<void> {
    const due = this.#o.inUse.toMeetAgain();
    await Promise.all(due.map((node) => this.#ask(node)));
  }

  /** Asks a node to follow this one, once at a time: many addresses may be of its pods. */
  #ask(to: NodeName): Promise<void> {
    const known = this.#asking.get(to);
    if (known) return known;
    const asking = this.#askNow(to).finally(() => this.#asking.delete(to));
    this.#asking.set(to, asking);
    return asking;
  }

  async #askNow(to: NodeName): Promise<void> {
    const { bus, subjects, own, slots, periodMs, node, log } = this.#o;
    const speaker = own.listed[0]?.own;
    if (!speaker || !bus.connected) return;
    const { sid } = speaker.statement;
    const slot = slots.slot(periodMs);
    const request = signMeet({ v: 1, node, sid, to, slot }, speaker.sign);
    try {
      const answer = await bus.request(subjects.meet(to, node), request, ANSWER_TIMEOUT_MS);
      const { ok, reason } = readMeetAnswer(answer) ?? { ok: false, reason: 'no answer' };
      if (!ok)
        log.debug('peer.unmet', { node: to, text: `${to} does not follow this node: ${reason}` });
    } catch (cause) {
      log.debug('peer.unmet', { node: to, text: `${to} was not asked: ${messageOf(cause)}` });
    }
  }

  async #onMeet(document: unknown, asked: string): Promise<Json | undefined> {
    const { slots, periodMs } = this.#o;
    const from = speakerOn(asked);
    if (!from || claimedMeeter(document)?.node !== from) return undefined;
    if (!this.#met.take(from, slots.slot(periodMs))) return undefined;
    const reason = await this.#objection(document, from);
    const answer: MeetAnswer = { v: 1, ok: reason === undefined, reason: reason ?? '' };
    return answer;
  }

  /** Why who asks is not followed; undefined: it is. */
  async #objection(document: unknown, from: NodeName): Promise<string | undefined> {
    const { follower, source, inUse, peers, slots, periodMs, node } = this.#o;
    if (inUse.areAll(follower.roster)) return undefined; // or will be as soon as it is listed
    const row = follower.roster.get(from);
    const entry = row && (await source.entry(row.entry));
    if (!entry) return 'it is not in the roster here';
    try {
      const { sign, sid } = parseStatement(fromB64url(entry.statement));
      const meet = openMeet(document, sign);
      const isOfNow = Math.abs(meet.slot - slots.slot(periodMs)) <= MAX_SLOTS_OFF;
      if (meet.node !== from || meet.sid !== sid || meet.to !== node || !isOfNow) {
        return 'it is of another node, or of another time';
      }
    } catch (cause) {
      return messageOf(cause).slice(0, 500);
    }
    if (inUse.met(from) || peers.standing(from) !== 'member') await this.#o.follow();
    return peers.standing(from) === 'member' ? undefined : 'its evidence was not accepted here';
  }

  #mayLookUp(): boolean {
    const nowMs = this.#o.clock.monoMs();
    if (nowMs - this.#lookups.sinceMs >= SECOND_MS) this.#lookups = { sinceMs: nowMs, count: 0 };
    this.#lookups.count += 1;
    return this.#lookups.count <= MAX_LOOKUPS_PER_SECOND;
  }
}
