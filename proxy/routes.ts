// Who may talk to whom and where that is: pure decisions over one snapshot. Opens no socket and
// holds no key; what is refused is a value with its reason.
import type { NodeName, Slot, SpiffeId } from '#agent/base/brands.ts';
import { canonicalAddress, type Endpoint } from '#proxy/see/address.ts';
import { srcRefOf, type Denial } from '#proxy/see/opening.ts';
import type { Refusal } from './counters.ts';
import { decide } from './policy.ts';
import type { LocalPod, Peer, PeerStatement, PodToken, RemotePod, Snapshot } from './snapshot.ts';

export interface Refused {
  readonly kind: 'refused';
  readonly reason: Refusal;
  /** One clause for operators. */
  readonly detail: string;
  readonly from?: SpiffeId;
  readonly to?: SpiffeId;
}

/** Where a connection of an own pod goes. */
export type Route =
  | {
      readonly kind: 'local';
      readonly from: LocalPod;
      readonly to: LocalPod;
      readonly rule: string;
    }
  | {
      readonly kind: 'remote';
      readonly from: LocalPod;
      readonly to: RemotePod;
      readonly peer: Peer;
      readonly rule: string;
    }
  | { readonly kind: 'plain'; readonly from: LocalPod }
  | Refused;

/** Whether a lane from a verified workload may reach one of this node's pods. */
export type Admission =
  | { readonly kind: 'admitted'; readonly to: LocalPod; readonly rule: string }
  | (Refused & { readonly denial: Denial });

/** A connection that was allowed, as far as a later snapshot may object to it. */
export interface Standing {
  /** What the policy allowed; absent where it was not asked: no agent there, or a canary. */
  readonly access?: { readonly from: SpiffeId; readonly to: SpiffeId; readonly port: number };
  /** Pods of this node that take part. */
  readonly podUids: readonly string[];
  /** The node at the other end; absent within the node. */
  readonly peer?: NodeName;
}

/** One snapshot, indexed. */
export class Routes {
  readonly #snapshot: Snapshot;
  readonly #podByUid: ReadonlyMap<string, LocalPod>;
  readonly #podByAddress = new Map<string, LocalPod>();
  readonly #remoteByAddress = new Map<string, RemotePod>();
  readonly #peerByNode: ReadonlyMap<NodeName, Peer>;
  readonly #statementByRef = new Map<string, PeerEnd[]>();
  /** Addresses that more than one node claims. */
  readonly #conflicts = new Set<string>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#podByUid = new Map(snapshot.pods.map((pod) => [pod.uid, pod]));
    this.#peerByNode = new Map(snapshot.peers.map((peer) => [peer.node, peer]));
    for (const pod of snapshot.pods) {
      for (const ip of pod.ips) this.#podByAddress.set(canonicalAddress(ip) ?? ip, pod);
    }
    for (const pod of snapshot.remotes) {
      for (const ip of pod.ips) this.#claim(canonicalAddress(ip) ?? ip, pod);
    }
    for (const peer of snapshot.peers) {
      for (const statement of peer.statements) {
        const ref = srcRefOf(statement.sid);
        const ends = this.#statementByRef.get(ref) ?? [];
        this.#statementByRef.set(ref, [...ends, { peer, statement }]);
      }
    }
  }

  /** The statements that a lane header's `srcRef` may mean; one's own is never among them. */
  statements(srcRef: string): readonly PeerEnd[] {
    return this.#statementByRef.get(srcRef) ?? [];
  }

  pod(uid: string): LocalPod | undefined {
    return this.#podByUid.get(uid);
  }

  peer(node: NodeName): Peer | undefined {
    return this.#peerByNode.get(node);
  }

  /** Where a connection of pod `podUid` to `destination` goes. */
  outbound(podUid: string, destination: Endpoint): Route {
    const { self, policy, unmeshed } = this.#snapshot;
    const from = this.#podByUid.get(podUid);
    if (!from) return refused('not-local', `pod ${podUid} is not in the inventory`);
    if (!self.trusted) return refused('not-trusted', self.reason, from);
    const local = this.#podByAddress.get(destination.address);
    const remote = this.#remoteByAddress.get(destination.address);
    if (this.#conflicts.has(destination.address) || (local && remote)) {
      return refused('address-conflict', `${destination.address} is claimed by two nodes`, from);
    }
    const to = local ?? remote;
    if (!to) {
      if (unmeshed === 'plain') return { kind: 'plain', from };
      return refused('no-agent', `no agent serves ${destination.address}`, from);
    }
    const { allow, rule } = decide(policy, from.spiffeId, to.spiffeId, destination.port);
    if (!allow) return refused('policy', rule, from, to);
    if (local) return { kind: 'local', from, to: local, rule };
    const peer = remote && this.#peerByNode.get(remote.node);
    if (!remote || !peer) return refused('no-chain', 'its node is not a peer', from, to);
    return { kind: 'remote', from, to: remote, peer, rule };
  }

  /** Whether the workload `from`, verified, may reach `destination` on this node. */
  inbound(from: SpiffeId, destination: Endpoint): Admission {
    const { self, policy } = this.#snapshot;
    if (!self.trusted) return { ...refused('not-trusted', self.reason), denial: 'trust' };
    const to = this.#podByAddress.get(destination.address);
    if (!to) {
      const detail = `${destination.address} is no pod of this node`;
      return { ...refused('not-local', detail), from, denial: 'destination' };
    }
    const { allow, rule } = decide(policy, from, to.spiffeId, destination.port);
    if (allow) return { kind: 'admitted', to, rule };
    return { ...refused('policy', rule), from, to: to.spiffeId, denial: 'policy' };
  }

  /** Whether `sid` is a statement of this peer that is acceptable now. */
  speaksAs(peer: NodeName, sid: string): boolean {
    return this.#peerByNode.get(peer)?.statements.some((held) => held.sid === sid) ?? false;
  }

  /** Why a connection that was allowed no longer is, if so; the policy is asked if it is new. */
  objection(standing: Standing, isPolicyNew = true): Refused | undefined {
    const { self, policy } = this.#snapshot;
    if (!self.trusted) return refused('not-trusted', self.reason);
    const gone = standing.podUids.find((uid) => !this.#podByUid.has(uid));
    if (gone !== undefined) return refused('not-local', `pod ${gone} is gone`);
    if (standing.peer && !this.#peerByNode.get(standing.peer)?.statements.length) {
      return refused('not-trusted', `${standing.peer} is no longer attested`);
    }
    const { access } = standing;
    if (!access || !isPolicyNew) return undefined;
    const { allow, rule } = decide(policy, access.from, access.to, access.port);
    return allow ? undefined : refused('policy', rule);
  }

  #claim(address: string, pod: RemotePod): void {
    const other = this.#remoteByAddress.get(address);
    if (other && other.node !== pod.node) this.#conflicts.add(address);
    this.#remoteByAddress.set(address, pod);
  }
}

/** A peer by one of its statements. */
export interface PeerEnd {
  readonly peer: Peer;
  readonly statement: PeerStatement;
}

/** The MAID of `pod` to show under `sid`, as near to `slot` as there is; undefined: none fits. */
export function tokenFor(pod: LocalPod, sid: string, slot: Slot): PodToken | undefined {
  const near = pod.tokens.filter((t) => t.sid === sid && Math.abs(t.slot - slot) <= 1);
  return near.find((t) => t.slot === slot) ?? near[0];
}

function refused(
  reason: Refusal,
  detail: string,
  from?: LocalPod,
  to?: LocalPod | RemotePod,
): Refused {
  return {
    kind: 'refused',
    reason,
    detail,
    ...(from && { from: from.spiffeId }),
    ...(to && { to: to.spiffeId }),
  };
}
