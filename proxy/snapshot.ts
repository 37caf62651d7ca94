// What the data plane knows: one immutable snapshot, replaced whole but for the keys of older chains, which
// it has already. The control plane makes it, proxy/control.ts carries it, every worker holds its own copy.
// It contains secrets and is never logged; whoever drops one wipes its keys.
import {
  slotAt,
  type ChainId,
  type NodeName,
  type Sid,
  type Slot,
  type SpiffeId,
} from '#agent/base/brands.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Range } from './range.ts';

/** `Chain`: in what form a chain stands in it; as it is made, every one whole. */
export interface Snapshot<Chain = LiveChain> {
  /** Rises with each snapshot of one control plane. */
  readonly version: number;
  readonly self: SelfState;
  /** Every chain that may be received on, newest first in the order of PROTOCOL 4. */
  readonly chains: readonly Chain[];
  readonly peers: readonly Peer[];
  /** Pods of this node. */
  readonly pods: readonly LocalPod[];
  /** Pods of other nodes, from the signed workload directories. */
  readonly remotes: readonly RemotePod[];
  readonly policy: CompiledPolicy;
  /** What to do with a destination that no agent serves. */
  readonly unmeshed: 'refuse' | 'plain';
  /** Destinations of those that pass in the clear all the same. Absent: none. */
  readonly unmeshedExcept?: readonly Range[];
  /** The control plane is new and lets nothing new pass in the clear for a while: what does goes on. */
  readonly isPlainWithheld?: boolean;
  /** Pods of nodes that are not accepted now: nobody is to reach them in the clear. Absent: none. */
  readonly unattested?: readonly UnattestedPod[];
  /** Addresses that lead to pods; no pod is looked for at one. Absent: none. */
  readonly services?: readonly Service[];
  /**
   * Addresses that are not in it may be of nodes that this one does not follow yet: ask before they are
   * refused or reached in the clear. Absent: all nodes are known.
   */
  readonly asks?: boolean;
  /** Absent: USUAL_LIMITS. */
  readonly limits?: LaneLimits;
}

/** As it is told to a data plane: of older chains that stood in the one before only the id. */
export type ToldSnapshot = Snapshot<LiveChain | ChainId>;

/** So many chains, the newest, stand whole in every snapshot: who begins with one can open and be opened to. */
const ALWAYS_WHOLE = 8;

/** `snapshot` for a data plane that was told those of `held` by the one before. */
export const toldSnapshot = (snapshot: Snapshot, held: ReadonlySet<ChainId>): ToldSnapshot => ({
  ...snapshot,
  chains: snapshot.chains.map((chain, rank) =>
    rank >= ALWAYS_WHOLE && held.has(chain.id) ? chain.id : chain,
  ),
});

/** The chains of which there is more than the id. */
export const wholeChains = ({ chains }: Pick<ToldSnapshot, 'chains'>): readonly LiveChain[] =>
  chains.filter((chain) => typeof chain !== 'string');

export const chainIdOf = (chain: LiveChain | ChainId): ChainId =>
  typeof chain === 'string' ? chain : chain.id;

/**
 * True when the control plane has erased what a worker at slot time `timeMs` takes for the present: its clock
 * was set forward after a suspend (SlotClock.adopt) and this one is to follow.
 */
export const isAhead = (snapshot: Pick<ToldSnapshot, 'chains'>, timeMs: number): boolean =>
  wholeChains(snapshot).some(
    ({ slot, atSlot, periodMs }) => slot > atSlot && slot > slotAt(timeMs, periodMs),
  );

/** What one pod or one peer of this node may have, so that none takes all there is. */
export interface LaneLimits {
  /** Connections at once that a pod makes, and as many that are made to it. */
  readonly perPodLanes: number;
  /** Connections that a pod makes; as many may come at once. */
  readonly perPodOpeningsPerSecond: number;
  /** Lanes at once with a peer. */
  readonly perPeerLanes: number;
  /** Openings that a peer sends; as many may come at once. */
  readonly perPeerOpeningsPerSecond: number;
  /** A connection that one end has half closed, and on which nothing moves, ends after so long. */
  readonly halfClosedMs: number;
}

/** What holds unless the configuration says otherwise: no program meets them that does not mean to. */
export const USUAL_LIMITS: LaneLimits = {
  perPodLanes: 16_000,
  perPodOpeningsPerSecond: 20_000,
  perPeerLanes: 32_000,
  perPeerOpeningsPerSecond: 20_000,
  halfClosedMs: 3_600_000,
};

export interface SelfState {
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  /** Own statements that peers may still address, newest first; empty while not admitted. */
  readonly sids: readonly Sid[];
  /** False: cut live lanes, refuse new ones. `reason` is what an operator is told. */
  readonly trusted: boolean;
  readonly reason: string;
}

export interface LiveChain {
  readonly id: ChainId;
  readonly generation: number;
  readonly epoch: number;
  readonly periodMs: number;
  /** Id in the CHIPS registry (PROTOCOL 4); it fixes the AEAD of lanes. */
  readonly algorithm: number;
  /** First slot in which the chain is in effect. */
  readonly atSlot: Slot;
  /** The slot of `key`, never newer than the oldest slot a receiver may still accept. */
  readonly slot: Slot;
  /** `chain(c, slot)`, 32 bytes. Secret. */
  readonly key: Uint8Array;
}

export interface Peer {
  readonly node: NodeName;
  /** Where the peer's lane port is: IPv4 or IPv6 address and TCP port. */
  readonly address: string;
  readonly port: number;
  /** Statements of this peer that are verified and acceptable now, newest first. */
  readonly statements: readonly PeerStatement[];
  /** `pair(own, peer)` for each acceptable combination. */
  readonly pairs: readonly PairSecret[];
  /** What to open a lane with; absent when no lane can be opened, and why. */
  readonly send: SendChoice | { readonly refused: string };
}

export interface PeerStatement {
  readonly sid: Sid;
  /** Ed25519 half of the statement's `sign`, 32 bytes: verifies endorsements of workload keys. */
  readonly ed25519: Uint8Array;
}

export interface PairSecret {
  readonly ownSid: Sid;
  readonly peerSid: Sid;
  /** X25519(lane_own, lane_peer), 32 bytes. Secret. */
  readonly secret: Uint8Array;
}

export interface SendChoice {
  /** The newest chain that this peer has confirmed. */
  readonly chainId: ChainId;
  readonly ownSid: Sid;
  readonly peerSid: Sid;
  /** Absent: the peer may not have seen `ownSid` yet, and this control plane holds no older one. */
  readonly isKnown?: boolean;
}

export interface LocalPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly spiffeId: SpiffeId;
  readonly ips: readonly string[];
  /** MAID tokens of this pod, one per acceptable slot (PROTOCOL 9). */
  readonly tokens: readonly PodToken[];
}

export interface PodToken {
  readonly slot: Slot;
  /** Encoded signed token. */
  readonly token: Uint8Array;
  /** Encoded endorsement of the workload key by the node, for `sid`. */
  readonly endorsement: Uint8Array;
  readonly sid: Sid;
}

export interface RemotePod {
  readonly uid: string;
  readonly node: NodeName;
  readonly spiffeId: SpiffeId;
  readonly ips: readonly string[];
}

export interface UnattestedPod {
  readonly node: NodeName;
  readonly ips: readonly string[];
}

export interface Service {
  /** `namespace/name`. */
  readonly name: string;
  /** In their one form. */
  readonly ips: readonly string[];
  /** The same pod comes out at the same endpoint, as long as that is there. */
  readonly isSticky: boolean;
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  readonly port: number;
  /** Those that are said to be ready; addresses in their one form. */
  readonly endpoints: readonly Endpoint[];
}

/** Before the first snapshot nothing is trusted and nothing is known. */
export const NO_SNAPSHOT: Snapshot = {
  version: 0,
  self: {
    domain: '',
    cluster: '',
    node: '' as NodeName,
    sids: [],
    trusted: false,
    reason: 'no snapshot has come yet',
  },
  chains: [],
  peers: [],
  pods: [],
  remotes: [],
  policy: { version: 0, defaultAction: 'DENY', rules: [] },
  unmeshed: 'refuse',
};
