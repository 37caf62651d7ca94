// The live keys of one worker: chain windows, the lane names that may arrive, the pair secrets, and
// what to send to a peer with right now. Follows snapshots and slots; who may talk is routes.ts.
import { Buffer } from 'node:buffer';
import { slotAt, type ChainId, type NodeName, type Sid, type Slot } from '#agent/base/brands.ts';
import { equal, wipe, type Bytes } from '#agent/base/bytes.ts';
import { endpoint, headerKeyOf, kidOf, presenceCheck } from '#proxy/chips/chain.ts';
import { laneContext, laneSecret, type LaneEnd } from '#proxy/see/keys.ts';
import type { Confirmation } from '#proxy/see/opening.ts';
import { PairMap } from './pairMap.ts';
import { ringChain, type RingChain } from './ringChain.ts';
import { KidTable, type KidEntry } from './kidTable.ts';
import { chainIdOf, type Peer, type SelfState, type ToldSnapshot } from './snapshot.ts';

/** How long a KEYUPDATE may lie unread behind a slow application (PROTOCOL 7). */
const RETAIN_MS = 1_800_000;
/** A sender uses the newest confirmed chain: the update keys of older ones need not be retained. */
const RETAINED_CHAINS = 8;
/** Chains beyond those are ticked so many at a time: a cluster holds some hundreds for peers it does not hear. */
const LATE_BATCH = 6;

/** All that sealing towards a peer takes in the present slot. */
export interface Sending {
  readonly chain: RingChain;
  readonly slot: Slot;
  readonly own: LaneEnd;
  readonly peer: LaneEnd;
  /** `pair(own, peer)`, 32 bytes, valid until the next snapshot. */
  readonly pair: Bytes;
  /** `LS` of PROTOCOL 5, the same for all lanes of the slot; overwritten when it ends. */
  readonly ls: Buffer;
  readonly kid: Buffer;
  readonly headerKey: Buffer;
  /** laneContext() with this node as source. */
  readonly context: Buffer;
  /** ChainWindow.updateKey of `slot`. */
  readonly updateKey: Buffer;
  /** The two statements were chosen before this slot began, so that the peer had time to hear of them. */
  readonly isSettled: boolean;
}

/** The statements in use with a peer, and during which turn of slots they were chosen. */
interface Choice {
  readonly ownSid: Sid;
  readonly peerSid: Sid;
  readonly turn: number;
}

/**
 * The present slot, or the next where the chain begins with it: by the clock of whoever chose it, or of the
 * peer that has shown it, that one has begun, and an end accepts slots ahead by one. Undefined: it is none yet.
 */
function sendingSlot({ atSlot, window: { now } }: RingChain): Slot | undefined {
  if (now >= atSlot) return now;
  return now + 1 === atSlot ? atSlot : undefined;
}

export class KeyRing {
  /** By id, newest first. */
  #chains = new Map<ChainId, RingChain>();
  readonly #kids = new KidTable();
  /** Place of a chain in the order of PROTOCOL 4, newest first. */
  #rank = new Map<ChainId, number>();
  #self: SelfState | undefined;
  #peers = new Map<NodeName, Peer>();
  #pairs = new PairMap<Sid, Bytes>();
  /** By source and destination. */
  #contexts = new PairMap<Sid, Buffer>();
  /** The newest chain that lanes of this worker showed a statement to hold. */
  readonly #confirmed = new Map<Sid, ChainId>();
  readonly #sending = new Map<NodeName, Sending>();
  /** By own statement, of the present slot. */
  readonly #confirmations = new Map<Sid, Confirmation>();
  readonly #choices = new Map<NodeName, Choice>();
  /** Chains that are still to be moved to the present slot. */
  #late: RingChain[] = [];
  #ticks = 0;
  /** Rises whenever a slot begins. */
  #turns = 0;

  /** Rises whenever a slot begins or a snapshot arrives: what was sealed with may be outdated. */
  get ticks(): number {
    return this.#ticks;
  }

  /** The periods of the chains held. */
  get periodsMs(): readonly number[] {
    return [...new Set([...this.#chains.values()].map(({ periodMs }) => periodMs))];
  }

  /** Takes a snapshot over; its bytes must stay until the next one. `timeMs` is slot time. */
  replace(snapshot: Pick<ToldSnapshot, 'self' | 'chains' | 'peers'>, timeMs: number): void {
    this.#self = snapshot.self;
    this.#kids.follow(snapshot.self);
    this.#peers = new Map(snapshot.peers.map((peer) => [peer.node, peer]));
    this.#pairs = new PairMap();
    for (const { ownSid, peerSid, secret } of snapshot.peers.flatMap(({ pairs }) => pairs)) {
      this.#pairs.set(ownSid, peerSid, secret);
    }
    this.#contexts = new PairMap();
    this.#replaceChains(snapshot.chains, timeMs);
    const live = new Set(snapshot.peers.flatMap(({ statements }) => statements.map((s) => s.sid)));
    for (const sid of this.#confirmed.keys()) if (!live.has(sid)) this.#confirmed.delete(sid);
    for (const node of this.#choices.keys()) if (!this.#peers.has(node)) this.#choices.delete(node);
    this.#renew(timeMs);
    // What nobody can open a lane under before is named at once; the others have their names.
    for (const chain of this.#late) if (!this.#kids.has(chain.id)) this.#advance(chain, timeMs);
  }

  /**
   * A slot begins: moves the windows of the newest chains to slot time `timeMs` and renews what depends on
   * them. Those of older ones follow by tickLate().
   */
  tick(timeMs: number): void {
    this.#turns += 1;
    this.#renew(timeMs);
  }

  /** Moves some of the older chains on; true: there are more. Until then they accept one slot less ahead. */
  tickLate(timeMs: number): boolean {
    for (const chain of this.#late.splice(-LATE_BATCH)) this.#advance(chain, timeMs);
    return this.#late.length > 0;
  }

  #renew(timeMs: number): void {
    this.#ticks += 1;
    for (const node of this.#sending.keys()) this.#forgetSending(node);
    this.#confirmations.clear();
    const chains = [...this.#chains.values()];
    for (const chain of chains.slice(0, RETAINED_CHAINS)) this.#advance(chain, timeMs);
    this.#late = chains.slice(RETAINED_CHAINS).filter((chain) => this.#isBehind(chain, timeMs));
  }

  #isBehind(chain: RingChain, timeMs: number): boolean {
    const { window, periodMs } = chain;
    return slotAt(timeMs, periodMs) > window.now || !this.#kids.isCurrent(chain);
  }

  #advance(chain: RingChain, timeMs: number): void {
    chain.window.advance(slotAt(timeMs, chain.periodMs));
    this.#kids.renew(chain);
  }

  /** What an opening's first 8 bytes stand for; undefined: nothing that is acceptable now. */
  kid(kid: Buffer): KidEntry | undefined {
    return this.#kids.get(kid);
  }

  chain(id: ChainId): RingChain | undefined {
    return this.#chains.get(id);
  }

  pair(ownSid: Sid, peerSid: Sid): Bytes | undefined {
    return this.#pairs.get(ownSid, peerSid);
  }

  /** What to seal with towards `node` now, or why nothing can be. */
  sending(node: NodeName): Sending | { readonly refused: string } {
    const kept = this.#sending.get(node);
    if (kept) return kept;
    const made = this.#makeSending(node);
    if (!('refused' in made)) this.#sending.set(node, made);
    return made;
  }

  /** laneContext() of a lane from `source` to `destination`, kept until the next snapshot. */
  context(source: LaneEnd, destination: LaneEnd): Buffer {
    const kept = this.#contexts.get(source.sid, destination.sid);
    if (kept) return kept;
    const { domain = '', cluster = '' } = this.#self ?? {};
    const made = laneContext(domain, cluster, source, destination);
    this.#contexts.set(source.sid, destination.sid, made);
    return made;
  }

  /** The newest chain in effect, with this node's check of it, for a lane's reply. */
  confirmation(ownSid: Sid): Confirmation | undefined {
    const kept = this.#confirmations.get(ownSid) ?? this.#makeConfirmation(ownSid);
    if (kept) this.#confirmations.set(ownSid, kept);
    return kept;
  }

  #makeConfirmation(ownSid: Sid): Confirmation | undefined {
    const node = this.#self?.node;
    for (const { id, atSlot, window } of this.#chains.values()) {
      const slot = window.now;
      const key = slot < atSlot ? undefined : window.keyAt(slot);
      if (key && node) return { chainId: id, slot, check: presenceCheck(key, node, ownSid) };
    }
    return undefined;
  }

  /** Notes that a peer's statement holds a chain: it used it, or its check of it is right. */
  confirm(peer: LaneEnd, shown: ChainId | Confirmation): void {
    const id = typeof shown === 'string' ? shown : shown.chainId;
    if (!this.#isNewer(id, this.#confirmed.get(peer.sid))) return;
    if (typeof shown !== 'string') {
      const key = this.#chains.get(id)?.window.keyAt(shown.slot);
      if (!key || !equal(presenceCheck(key, peer.node, peer.sid), shown.check)) return;
    }
    this.#confirmed.set(peer.sid, id);
    this.#forgetSending(peer.node);
  }

  /** Overwrites every key. */
  close(): void {
    for (const { window } of this.#chains.values()) window.close();
    for (const id of this.#chains.keys()) this.#kids.drop(id);
    this.#chains.clear();
    this.#late = [];
    this.#pairs = new PairMap();
    for (const node of this.#sending.keys()) this.#forgetSending(node);
  }

  #makeSending(node: NodeName): Sending | { readonly refused: string } {
    const peer = this.#peers.get(node);
    if (!this.#self || !peer) return { refused: `${node} is not a peer` };
    if ('refused' in peer.send) return peer.send;
    const { chainId, ownSid, peerSid } = peer.send;
    const shown = this.#confirmed.get(peerSid);
    const chain = this.#chains.get(shown && this.#isNewer(shown, chainId) ? shown : chainId);
    const slot = chain && sendingSlot(chain);
    const key = slot === undefined ? undefined : chain?.window.keyAt(slot);
    const updateKey = slot === undefined ? undefined : chain?.window.updateKey(slot);
    const pair = this.pair(ownSid, peerSid);
    if (!chain || slot === undefined || !key || !updateKey || !pair) {
      return { refused: `no key for ${node} in the present slot` };
    }
    const receiver = endpoint(node, peerSid);
    const own = { node: this.#self.node, sid: ownSid };
    const end = { node, sid: peerSid };
    return {
      chain,
      slot,
      own,
      peer: end,
      context: this.context(own, end),
      pair,
      ls: laneSecret(key, pair),
      kid: kidOf(key, receiver),
      headerKey: headerKeyOf(key, receiver),
      updateKey: Buffer.from(updateKey),
      isSettled: this.#choose(node, ownSid, peerSid).turn < this.#turns,
    };
  }

  #choose(node: NodeName, ownSid: Sid, peerSid: Sid): Choice {
    const last = this.#choices.get(node);
    if (last?.ownSid === ownSid && last.peerSid === peerSid) return last;
    const choice = { ownSid, peerSid, turn: this.#turns };
    this.#choices.set(node, choice);
    return choice;
  }

  #isNewer(a: ChainId, b: ChainId | undefined): boolean {
    const rank = this.#rank.get(a);
    return (
      rank !== undefined && rank < (b === undefined ? Infinity : (this.#rank.get(b) ?? Infinity))
    );
  }

  #replaceChains(told: ToldSnapshot['chains'], timeMs: number): void {
    const next = new Map<ChainId, RingChain>();
    for (const chain of told) {
      const held = this.#chains.get(chainIdOf(chain)) ?? ringChain(chain, timeMs);
      if (held) next.set(held.id, held);
    }
    for (const [id, { window }] of this.#chains) {
      if (next.has(id)) continue;
      window.close();
      this.#kids.drop(id);
    }
    this.#chains = next;
    this.#rank = new Map([...next.keys()].map((id, rank) => [id, rank]));
    for (const { id, window, periodMs } of next.values()) {
      const isRecent = (this.#rank.get(id) ?? 0) < RETAINED_CHAINS;
      window.retain(isRecent ? Math.ceil(RETAIN_MS / periodMs) : 0);
    }
  }

  #forgetSending(node: NodeName): void {
    const kept = this.#sending.get(node);
    if (kept) wipe(kept.ls, kept.headerKey, kept.updateKey);
    this.#sending.delete(node);
  }
}
