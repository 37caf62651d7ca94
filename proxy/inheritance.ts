// What a worker keeps of a control plane that was killed, while the next one finds its place: peers
// still address the statement of the first for a moment, update keys by chains that only the first
// had, and confirm nothing to the second yet. It adds no peer, statement of a peer, or pod that the new
// snapshot does not name.
import type { ChainId, NodeName, Slot } from '#agent/base/brands.ts';
import { wipe } from '#agent/base/bytes.ts';
import { snapshotOf } from './channel.ts';
import {
  chainIdOf,
  wholeChains,
  type LocalPod,
  type Peer,
  type Snapshot,
  type ToldSnapshot,
} from './snapshot.ts';

/** By then every peer follows the new statement; no chain outlives a revocation longer (PROTOCOL 4). */
const INHERITED_SLOTS = 3;

export class Inheritance {
  readonly #frame: Uint8Array;
  readonly #before: ToldSnapshot;
  /** Peers to which the new control plane's statement was once spoken: from then on, only it says how. */
  readonly #settled = new Set<NodeName>();

  /** Owns the frame of the last snapshot before. */
  constructor(frame: Uint8Array) {
    this.#frame = frame;
    this.#before = snapshotOf(frame);
  }

  /** How long it is of use, milliseconds. */
  get lastsMs(): number {
    return INHERITED_SLOTS * longestPeriodMs(this.#before);
  }

  /** `next` with what still serves it; its bytes stay valid until close. */
  addTo(next: ToldSnapshot): ToldSnapshot {
    const before = this.#before;
    if (!next.self.trusted || before.self.node !== next.self.node) return next;
    const isNew = new Set(next.chains.map(chainIdOf));
    const chains = [...next.chains, ...before.chains.filter((held) => !isNew.has(chainIdOf(held)))];
    const ids = new Set(chains.map(chainIdOf));
    const peers = new Map(before.peers.map((peer) => [peer.node, peer]));
    const pods = new Map(before.pods.map((pod) => [pod.uid, pod]));
    // At the turn of a slot the next snapshot may be late.
    const hasTokens = Math.max(...slotsOf(before.pods)) > Math.min(...slotsOf(next.pods));
    const withPeer = (peer: Peer): Peer =>
      this.#withPeer(peer, peers.get(peer.node), ids, hasTokens);
    return {
      ...next,
      chains,
      self: { ...next.self, sids: [...new Set([...next.self.sids, ...before.self.sids])] },
      peers: next.peers.map(withPeer),
      pods: next.pods.map((pod) => withPod(pod, pods.get(pod.uid))),
    };
  }

  /** Overwrites its keys. */
  close(): void {
    wipe(this.#frame);
  }

  #withPeer(
    next: Peer,
    before: Peer | undefined,
    chains: ReadonlySet<ChainId>,
    hasTokens: boolean,
  ): Peer {
    const canSpeak = !('refused' in next.send) && (next.send.isKnown === true || !hasTokens);
    if (canSpeak) this.#settled.add(next.node);
    if (before === undefined) return next;
    const isAccepted = (sid: string): boolean => next.statements.some((held) => held.sid === sid);
    const isNew = ({ ownSid }: Peer['pairs'][number]): boolean =>
      !next.pairs.some((pair) => pair.ownSid === ownSid);
    const kept = before.pairs.filter((pair) => isAccepted(pair.peerSid) && isNew(pair));
    const { send } = before;
    // Later it would lead back to a statement that the peer has seen replaced.
    const canSend =
      !this.#settled.has(next.node) &&
      !('refused' in send) &&
      isAccepted(send.peerSid) &&
      chains.has(send.chainId) &&
      kept.some(({ ownSid, peerSid }) => ownSid === send.ownSid && peerSid === send.peerSid);
    return { ...next, pairs: [...next.pairs, ...kept], send: canSend ? send : next.send };
  }
}

const slotsOf = (pods: readonly LocalPod[]): readonly Slot[] =>
  pods.flatMap(({ tokens }) => tokens.map(({ slot }) => slot));

/** By then no worker that was given `first` after another control plane's snapshots uses any of those. */
export const settledAfterMs = (first: Snapshot): number =>
  (INHERITED_SLOTS + 1) * longestPeriodMs(first);

const longestPeriodMs = (snapshot: Pick<ToldSnapshot, 'chains'>): number =>
  Math.max(0, ...wholeChains(snapshot).map(({ periodMs }) => periodMs));

/** A pod that became another workload under the same uid has no use for the tokens of the first. */
const withPod = (next: LocalPod, before: LocalPod | undefined): LocalPod =>
  before?.spiffeId === next.spiffeId
    ? { ...next, tokens: [...next.tokens, ...before.tokens] }
    : next;
