// What the data plane knows: one immutable snapshot, replaced whole. The control plane makes it,
// proxy/control.ts carries it, every worker holds its own copy. It contains secrets and is never
// logged; whoever drops one wipes its keys.
import type { ChainId, NodeName, Sid, Slot, SpiffeId } from '#agent/base/brands.ts';
import type { CompiledPolicy } from './policy.ts';

export interface Snapshot {
  /** Rises with each snapshot of one control plane. */
  readonly version: number;
  readonly self: SelfState;
  /** Every chain that may be received on, newest first in the order of PROTOCOL 4. */
  readonly chains: readonly LiveChain[];
  readonly peers: readonly Peer[];
  /** Pods of this node. */
  readonly pods: readonly LocalPod[];
  /** Pods of other nodes, from the signed workload directories. */
  readonly remotes: readonly RemotePod[];
  readonly policy: CompiledPolicy;
  /** What to do with a destination that no agent serves. */
  readonly unmeshed: 'refuse' | 'plain';
}

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
