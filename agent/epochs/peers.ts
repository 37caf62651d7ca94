// What this node knows of the others: verified statements, presence, confirmed chains, workloads. It
// decides with which statements and which chain a lane to a peer is opened (PROTOCOL 4).
import type { ChainId, NodeName, Sid } from '#agent/base/brands.ts';
import { slotAt, slotPlus } from '#agent/base/brands.ts';
import type { Appraisal } from '#attest/verify.ts';
import type { Peer, PairSecret, SendChoice } from '#proxy/snapshot.ts';
import type { Directory } from './directory.ts';
import type { Chain } from './keeper.ts';
import type { Presence } from './presence.ts';
import { newestFirst, type Order } from './record.ts';
import type { RosterEntry } from './roster.ts';
import type { Standing } from './lease.ts';
import type { OwnListed } from './ownStatements.ts';
import type { Statement } from './statement.ts';

/** A peer's statement that is in the roster and whose evidence was accepted here. */
export interface AcceptedStatement {
  readonly statement: Statement;
  readonly entry: RosterEntry;
  readonly appraisal: Appraisal;
  /** The first record that listed it. */
  readonly listedBy: Order;
}

type Confirmed = ReadonlyMap<ChainId, number>;

/** What was heard under one statement: the newest word, and chains proven. */
interface Shown {
  readonly seq: number;
  readonly confirmed: Confirmed;
}

export interface PeerState {
  readonly node: NodeName;
  /** Newest first; never more than MAX_ACCEPTED. */
  accepted: readonly AcceptedStatement[];
  /** Why the newest roster entry was not accepted here, if it was not. */
  refused: string | undefined;
  presence: (Presence & { readonly receivedMs: number }) | undefined;
  /** Chains proven under the present sid, and when each first was: slot time, milliseconds. */
  confirmed: Confirmed;
  /** The same under its other statements, and how far each was heard: an old word said again takes nothing back. */
  others: ReadonlyMap<Sid, Shown>;
  directory: Directory | undefined;
}

/** A chain must be in effect this long before a peer of which nothing is heard is trusted to have it. */
const UNHEARD_SLOTS = 3;
/**
 * A superseded statement of a peer is kept until a chain that lists its successor is this old, and the peer has shown
 * one: were the bus away, it could not know that this node knows the successor.
 */
const SUPERSEDED_SLOTS = 3;
/**
 * Statements kept of one peer. A record a slot lists one of them, takes effect three slots later, and after
 * SUPERSEDED_SLOTS more the one before is dropped: there are never more, however quickly a peer renews.
 */
const MAX_ACCEPTED = 8;

const MAX_WITHDRAWN = 20_000;

export class PeerBook {
  readonly #peers = new Map<NodeName, PeerState>();
  readonly #pairs = new Map<string, Buffer>();
  readonly #withdrawn = new Set<Sid>();
  readonly #barred = new Set<NodeName>();

  peer(node: NodeName): PeerState {
    let state = this.#peers.get(node);
    if (!state) {
      state = {
        node,
        accepted: [],
        refused: undefined,
        presence: undefined,
        confirmed: new Map(),
        others: new Map(),
        directory: undefined,
      };
      this.#peers.set(node, state);
    }
    return state;
  }

  get(node: NodeName): PeerState | undefined {
    return this.#peers.get(node);
  }

  all(): readonly PeerState[] {
    return [...this.#peers.values()];
  }

  /** The statement of this sid, of whichever peer, if it is accepted now. */
  acceptedStatement(node: NodeName, sid: Sid): AcceptedStatement | undefined {
    return this.#peers.get(node)?.accepted.find((a) => a.statement.sid === sid);
  }

  accept(node: NodeName, accepted: AcceptedStatement): void {
    if (this.#barred.has(node)) return;
    const state = this.peer(node);
    const others = state.accepted.filter((a) => a.statement.sid !== accepted.statement.sid);
    state.accepted = [accepted, ...others].slice(0, MAX_ACCEPTED);
    state.refused = undefined;
  }

  /** Accepts no statement of a node until unbar(): what was found of it may be of before an owner's word. */
  bar(node: NodeName): void {
    this.#barred.add(node);
  }

  unbar(node: NodeName): void {
    this.#barred.delete(node);
  }

  /** True once the node itself withdrew this statement: no record brings it back. */
  isWithdrawn(sid: Sid): boolean {
    return this.#withdrawn.has(sid);
  }

  withdraw(node: NodeName, sid: Sid, why: string): void {
    const oldest = this.#withdrawn.values().next();
    if (this.#withdrawn.size >= MAX_WITHDRAWN && !oldest.done) this.#withdrawn.delete(oldest.value);
    this.#withdrawn.add(sid);
    this.refuse(node, why);
  }

  /** What is known of a node, as a candidate for conducting asks it. */
  standing(node: NodeName): Standing {
    const state = this.#peers.get(node);
    if (state && state.accepted.length > 0) return 'member';
    return state?.refused === undefined ? 'unknown' : 'out';
  }

  /** True when the newest statement was already heard from (`heard`) and `sid` is an older one. */
  isSuperseded(node: NodeName, sid: Sid, heard: Sid | undefined): boolean {
    const newest = this.#peers.get(node)?.accepted[0]?.statement.sid;
    return newest !== undefined && heard === newest && sid !== newest;
  }

  /** Drops every statement of a node that left the roster or failed here, and says why. */
  refuse(node: NodeName, why: string): void {
    const state = this.peer(node);
    state.accepted = [];
    state.refused = why;
  }

  /** Forgets a node that is in use no more. */
  drop(node: NodeName): void {
    this.#peers.delete(node);
  }

  /** Takes an authenticated presence; false when it is older than the one known. */
  hear(presence: Presence, confirmed: readonly ChainId[], nowMs: number): boolean {
    const state = this.peer(presence.node);
    const same = state.presence?.sid === presence.sid;
    if (!same && this.isSuperseded(presence.node, presence.sid, state.presence?.sid)) return false;
    const shown = shownBy(state);
    const known = shown.get(presence.sid);
    if (known && presence.seq <= known.seq) return false;
    shown.delete(presence.sid);
    state.others = shown;
    state.presence = { ...presence, receivedMs: nowMs };
    const now = confirmed.map((id) => [id, nowMs] as const);
    state.confirmed = new Map([...now, ...(known?.confirmed ?? [])]);
    if (presence.chains.length === 0) holdsNothing(state);
    return true;
  }

  /** Forgets superseded statements, after `maxStalenessMs` in any case, and confirmations of chains that are gone. */
  settle(
    inEffect: readonly Chain[],
    known: (id: ChainId) => boolean,
    nowMs: number,
    maxStalenessMs: number,
  ): void {
    const settled = inEffect.filter(
      (chain) => slotAt(nowMs, chain.periodMs) >= slotPlus(chain.atSlot, SUPERSEDED_SLOTS),
    );
    for (const state of this.#peers.values()) {
      state.confirmed = new Map([...state.confirmed].filter(([id]) => known(id)));
      const isShown = ({ id, atSlot, periodMs }: Chain): boolean =>
        state.confirmed.has(id) || nowMs - atSlot * periodMs > maxStalenessMs;
      const last = settled.find(isShown);
      const successor = state.accepted.findIndex(
        ({ listedBy }) => last && newestFirst(last, listedBy) <= 0,
      );
      if (successor >= 0) state.accepted = state.accepted.slice(0, successor + 1);
      const sids = new Set(state.accepted.map(({ statement }) => statement.sid));
      state.others = new Map([...state.others].filter(([sid]) => sids.has(sid)));
    }
  }

  /** How to open a lane to a peer now, or why none can be opened. */
  choose(
    state: PeerState,
    own: readonly OwnListed[],
    sendable: readonly Chain[],
    nowMs: number,
  ): Peer['send'] {
    const [newest] = state.accepted;
    if (!newest) return { refused: state.refused ?? `${state.node} is not attested` };
    if (own.length === 0) return { refused: 'this node is not admitted yet' };
    const proven = provenBy(state, sendable);
    const chain = state.presence
      ? proven?.chain
      : sendable.find((c) => slotAt(nowMs, c.periodMs) >= slotPlus(c.atSlot, UNHEARD_SLOTS));
    if (!chain) return { refused: `${state.node} has confirmed no chain yet` };
    // The newest own statement that the peer has surely seen, else the oldest still held.
    const known = own.find(
      ({ listedBy }) => listedBy && proven && newestFirst(proven.chain, listedBy) <= 0,
    );
    const mine = known ?? own.at(-1);
    if (!mine) throw new RangeError('no own statement');
    const choice: SendChoice = {
      chainId: chain.id,
      ownSid: mine.own.statement.sid,
      peerSid: proven?.sid ?? newest.statement.sid,
      ...(known && { isKnown: true }),
    };
    return choice;
  }

  /** Pair secrets of every combination with a peer, each computed once (PROTOCOL 5). */
  pairs(state: PeerState, own: readonly OwnListed[]): PairSecret[] {
    const secrets: PairSecret[] = [];
    for (const { own: mine } of own) {
      for (const { statement } of state.accepted) {
        const key = `${mine.statement.sid}/${statement.sid}`;
        let secret = this.#pairs.get(key);
        if (!secret) {
          try {
            secret = mine.lane.agree(statement.lane);
          } catch {
            this.refuse(state.node, `${state.node} states a lane key of low order`);
            return [];
          }
          this.#pairs.set(key, secret);
        }
        secrets.push({ ownSid: mine.statement.sid, peerSid: statement.sid, secret });
      }
    }
    return secrets;
  }

  /** Wipes pair secrets of statements that are no longer held or accepted. */
  forgetPairs(own: readonly OwnListed[]): void {
    const mine = new Set(own.map((o) => o.own.statement.sid as string));
    const theirs = new Set(
      this.all().flatMap((s) => s.accepted.map((a) => a.statement.sid as string)),
    );
    for (const [key, secret] of this.#pairs) {
      const [a = '', b = ''] = key.split('/');
      if (mine.has(a) && theirs.has(b)) continue;
      secret.fill(0);
      this.#pairs.delete(key);
    }
  }
}

/** It has started anew and says so: what it has shown before opens nothing there. */
function holdsNothing(state: PeerState): void {
  state.confirmed = new Map();
  state.others = new Map(
    [...state.others].map(([sid, { seq }]) => [sid, { seq, confirmed: NONE }]),
  );
}

const NONE: Confirmed = new Map();

/** By statement, that of the present word included. */
function shownBy({ presence, confirmed, others }: PeerState): Map<Sid, Shown> {
  const shown = new Map(others);
  if (presence) shown.set(presence.sid, { seq: presence.seq, confirmed });
  return shown;
}

/**
 * The newest statement of a peer that has confirmed a chain that may be sent with, and the newest such chain. One
 * that was just accepted may have confirmed none yet; the one before is as good until it is dropped.
 */
function provenBy(
  state: PeerState,
  sendable: readonly Chain[],
): { readonly sid: Sid; readonly chain: Chain } | undefined {
  const { accepted, confirmed } = state;
  const all = shownBy(state);
  for (const { statement } of accepted) {
    const chain = sendable.find(({ id }) => all.get(statement.sid)?.confirmed.has(id));
    if (chain) return { sid: statement.sid, chain };
  }
  const [newest] = accepted;
  const chain = sendable.find(({ id }) => confirmed.has(id));
  return newest && chain && { sid: newest.statement.sid, chain };
}
