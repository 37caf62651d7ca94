// Who is in the cluster as this node sees it: follows the roster of the newest record, checks each
// member's evidence here, hears their presences and directories, and says why one is out.
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { limitedLog } from '#agent/limitedLog.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import { isAuthentic } from '#attest/verify.ts';
import type { Bus } from './bus.ts';
import { openDirectory } from './directory.ts';
import { acceptable, type Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import type { ChainKeeper } from './keeper.ts';
import type { Standing } from './lease.ts';
import type { Patience } from './patience.ts';
import type { AcceptedStatement, PeerBook } from './peers.ts';
import type { PeersInUse } from './peersInUse.ts';
import { claimedSender, openPresence, type Presence } from './presence.ts';
import type { RosterRow } from './roster.ts';
import type { RosterSource } from './rosterSource.ts';
import type { Subjects } from './subjects.ts';

export interface MembershipOptions {
  readonly bus: Pick<Bus, 'last'>;
  readonly subjects: Subjects;
  readonly examiner: Pick<Examiner, 'examine' | 'forget'>;
  readonly follower: Pick<RecordFollower, 'roster' | 'newest'>;
  readonly keeper: ChainKeeper;
  readonly peers: PeerBook;
  readonly inUse: Pick<PeersInUse, 'of'>;
  readonly source: Pick<RosterSource, 'entry'>;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeName;
  readonly patience: Pick<Patience, 'look'>;
  /** How long an attestation counts. */
  readonly ttlMs: number;
  /** A member withdrew its own statement. */
  readonly onWithdrawal: (node: NodeName, sid: Sid, why: string) => void;
}

const READ_AT_ONCE = 16;

export class Membership {
  readonly #o: MembershipOptions;
  readonly #refusals: Log;
  /** Peers that may have said something unheard: before they were accepted here, or while the bus was away. */
  readonly #unread = new Set<NodeName>();

  constructor(options: MembershipOptions) {
    this.#o = options;
    this.#refusals = limitedLog(options.log, options.clock);
  }

  /**
   * Follows the newest record's roster as far as it has peers in use: who came, who renewed, who left. In a cluster
   * that is known whole that is everybody, so that nodes that never spoke can during an outage (PROTOCOL 4).
   */
  async follow(): Promise<void> {
    const { follower, peers } = this.#o;
    const { roster } = follower;
    const followed = this.#followed();
    const wanted = new Set(followed.map(({ node }) => node));
    for (const state of peers.all()) {
      if (wanted.has(state.node)) continue;
      this.#unread.delete(state.node);
      if (roster.get(state.node)) peers.drop(state.node);
      else if (state.accepted.length > 0) this.#out(state.node, 'is not in the roster any more');
      else state.refused ??= `${state.node} is not in the roster`;
    }
    const due = followed.filter(
      ({ node, sid }) => !peers.acceptedStatement(node, sid) && !peers.isWithdrawn(sid),
    );
    for (let i = 0; i < due.length; i += READ_AT_ONCE) {
      await Promise.all(due.slice(i, i + READ_AT_ONCE).map((row) => this.#examine(row)));
    }
    const unread = [...this.#unread];
    for (let i = 0; i < unread.length; i += READ_AT_ONCE) {
      await Promise.all(unread.slice(i, i + READ_AT_ONCE).map((node) => this.#readBack(node)));
    }
  }

  /** What peers said while the bus was away is read with the next follow(). */
  onConnect(): void {
    for (const { node, accepted } of this.#o.peers.all())
      if (accepted.length > 0) this.#unread.add(node);
  }

  /** The rows of peers in use. */
  #followed(): readonly RosterRow[] {
    const { follower, inUse } = this.#o;
    return inUse.of(follower.roster).flatMap((node) => follower.roster.get(node) ?? []);
  }

  /** The peers in use that are members, and whether each was accepted or refused here. */
  members(): readonly { readonly node: NodeName; readonly isJudged: boolean }[] {
    const { peers } = this.#o;
    return this.#followed().map(({ node }) => ({
      node,
      isJudged: peers.standing(node) !== 'unknown',
    }));
  }

  /** What is known of a node, as a candidate for conducting asks it: a member that is not followed is one. */
  standing(node: NodeName): Standing {
    const { peers, follower, inUse } = this.#o;
    const known = peers.standing(node);
    const isFollowed = known !== 'unknown' || inUse.of(follower.roster).includes(node);
    return isFollowed || !follower.roster.get(node) ? known : 'member';
  }

  async #examine(row: RosterRow): Promise<void> {
    const { examiner, follower, source, peers, log } = this.#o;
    const listedBy = follower.newest;
    const [examined, entry] = await Promise.all([
      examiner.examine(row.node, row.sid),
      source.entry(row.entry),
    ]);
    if (!listedBy) return;
    if (!examined.known || !acceptable(examined.appraisal) || !entry) {
      const why = !examined.known
        ? examined.why
        : acceptable(examined.appraisal)
          ? 'its roster entry is not on the bus'
          : `is ${examined.appraisal.verdict}`;
      const text = `was not accepted here: ${why}`;
      // Only what the node's own TPM signed ends a statement that still counts: the bus can lose or
      // garble anything, and is asked again with the next record.
      const guilty =
        examined.known && !acceptable(examined.appraisal) && isAuthentic(examined.appraisal);
      const state = peers.peer(row.node);
      if (guilty) this.#out(row.node, text);
      else if (state.accepted.length === 0) state.refused = `${row.node} ${text}`;
      return;
    }
    const { statement, appraisal } = examined;
    if ((peers.get(row.node)?.accepted.length ?? 0) === 0) {
      log.info('peer.accepted', { node: row.node, text: `${row.node} is ${appraisal.verdict}` });
    }
    // What it says of its end is a conductor's word, who may be the node itself.
    const expiresAt = Math.min(entry.expiresAt, appraisal.atMs + this.#o.ttlMs);
    peers.accept(row.node, { statement, entry: { ...entry, expiresAt }, appraisal, listedBy });
    this.#unread.add(row.node);
  }

  /** What a bus does not give now, it is asked for again with the next record. */
  async #readBack(node: NodeName): Promise<void> {
    const { bus, subjects } = this.#o;
    const { streams } = subjects;
    const presence = await bus.last(streams.presence, subjects.presence(node));
    if (presence !== undefined) this.hearPresence(presence);
    const directory = await bus.last(streams.workloads, subjects.workloads(node));
    if (directory !== undefined) this.hearDirectory(directory);
    if (presence !== undefined && directory !== undefined) this.#unread.delete(node);
  }

  /** Ends the admission of members whose attestation ran out (PROTOCOL 3.5). Once in a slot. */
  expire(): void {
    const { peers, clock, patience } = this.#o;
    if (patience.look()) return;
    for (const state of peers.all()) {
      const [newest] = state.accepted;
      if (newest && newest.entry.expiresAt <= clock.wallMs()) {
        this.#out(state.node, 'did not renew its attestation in time');
      }
    }
  }

  /** An owner revoked a node. False: it was no member. */
  revoke(node: NodeName, why: string): boolean {
    const { follower, peers, examiner } = this.#o;
    const known = peers.get(node);
    const wasMember = known ? known.accepted.length > 0 : follower.roster.get(node) !== undefined;
    examiner.forget(node);
    this.#out(node, why);
    return wasMember;
  }

  /** Takes a presence; false when it does not count. */
  hearPresence(document: unknown): boolean {
    const { peers, keeper, slots } = this.#o;
    const speaker = this.#speakerOf(document);
    if (!speaker) return false;
    let presence: Presence;
    try {
      presence = openPresence(document, speaker.statement.sign);
    } catch (cause) {
      return this.#refuse('presence', speaker, cause);
    }
    const { node, sid, withdrawn } = presence;
    if (sid !== speaker.statement.sid || node !== speaker.statement.node) return false;
    const nowMs = slots.timeMs();
    if (!peers.hear(presence, keeper.confirmed(presence, nowMs), nowMs)) return false;
    if (withdrawn !== undefined) {
      this.#out(node, `withdrew: ${withdrawn}`);
      peers.withdraw(node, sid, `${node} withdrew: ${withdrawn}`);
      this.#o.onWithdrawal(node, sid, withdrawn);
    }
    return true;
  }

  /** Takes a workload directory; false when it does not count. */
  hearDirectory(document: unknown): boolean {
    const speaker = this.#speakerOf(document);
    if (!speaker) return false;
    try {
      const directory = openDirectory(document, speaker.statement.sign);
      if (directory.node !== speaker.statement.node) return false;
      const state = this.#o.peers.peer(directory.node);
      const older =
        state.directory?.sid === directory.sid
          ? state.directory.seq >= directory.seq
          : this.#o.peers.isSuperseded(directory.node, directory.sid, state.directory?.sid);
      if (!older) state.directory = directory;
      return !older;
    } catch (cause) {
      return this.#refuse('directory', speaker, cause);
    }
  }

  /** Whose key must have signed: an accepted statement of another node. */
  #speakerOf(document: unknown): AcceptedStatement | undefined {
    const claim = claimedSender(document);
    if (!claim || claim.node === this.#o.node) return undefined;
    return this.#o.peers.acceptedStatement(claim.node as NodeName, claim.sid as Sid);
  }

  #refuse(what: string, { statement }: AcceptedStatement, cause: unknown): false {
    const text = `${what} in the name of ${statement.node} refused: ${messageOf(cause)}`;
    const log = this.#refusals;
    log.warn(`${what}.refused`, { node: statement.node, text });
    return false;
  }

  #out(node: NodeName, why: string): void {
    const { peers, log } = this.#o;
    this.#unread.delete(node);
    const had = (peers.get(node)?.accepted.length ?? 0) > 0;
    peers.refuse(node, `${node} ${why}`);
    if (had) log.warn('peer.left', { node, text: `${node} ${why}; its lanes are cut` });
  }
}
