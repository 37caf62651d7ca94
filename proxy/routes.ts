// Who may talk to whom and where that is: pure decisions over one snapshot. Opens no socket and
// holds no key; what is refused is a value with its reason.
import type { NodeName, Slot, SpiffeId } from '#agent/base/brands.ts';
import { canonicalAddress, type Endpoint } from '#proxy/see/address.ts';
import { srcRefOf, type Denial } from '#proxy/see/opening.ts';
import type { Refusal } from './counters.ts';
import { decide } from './policy.ts';
import { Ranges } from './range.ts';
import { Services, type Readiness } from './services.ts';
import type {
  LocalPod,
  Peer,
  PeerStatement,
  PodToken,
  RemotePod,
  ToldSnapshot,
} from './snapshot.ts';

export interface Refused {
  readonly kind: 'refused';
  readonly reason: Refusal;
  /** One clause for operators. */
  readonly detail: string;
  readonly from?: SpiffeId;
  readonly to?: SpiffeId;
}

/** Where a connection of an own pod goes: `destination`, which for a service is one of its endpoints. */
export type Route =
  | {
      readonly kind: 'local';
      readonly from: LocalPod;
      readonly to: LocalPod;
      readonly destination: Endpoint;
      readonly rule: string;
    }
  | {
      readonly kind: 'remote';
      readonly from: LocalPod;
      readonly to: RemotePod;
      readonly peer: Peer;
      readonly destination: Endpoint;
      readonly rule: string;
    }
  | {
      readonly kind: 'plain';
      readonly from: LocalPod;
      readonly destination: Endpoint;
      /** The setting that lets it pass. */
      readonly rule: string;
    }
  /** Whose it is must be asked first (Snapshot.asks). */
  | { readonly kind: 'unknown'; readonly from: LocalPod; readonly destination: Endpoint }
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
  /** Where it goes in the clear; absent where an agent serves it. */
  readonly plain?: Endpoint;
}

/** A snapshot but for its chains, which are the key ring's. */
type RoutedBy = Omit<ToldSnapshot, 'chains'>;

/** One snapshot, indexed. */
export class Routes {
  readonly #snapshot: RoutedBy;
  readonly #podByUid: ReadonlyMap<string, LocalPod>;
  readonly #podByAddress = new Map<string, LocalPod>();
  readonly #remoteByAddress = new Map<string, RemotePod>();
  readonly #peerByNode: ReadonlyMap<NodeName, Peer>;
  readonly #statementByRef = new Map<string, PeerEnd[]>();
  /** Addresses that more than one node claims, one that is not accepted now among them. */
  readonly #conflicts = new Set<string>();
  /** By address, the node that is not accepted now. */
  readonly #unattested: ReadonlyMap<string, NodeName>;
  /** Where peers take lanes, as they say. */
  readonly #laneAddresses: ReadonlySet<string>;
  readonly #unmeshedExcept: Ranges;
  readonly #services: Services;

  /** `random` decides between the endpoints of a service: from 0 to under 1. */
  constructor(snapshot: RoutedBy, random: () => number = Math.random) {
    const { unattested = [], unmeshedExcept = [], services = [] } = snapshot;
    this.#snapshot = snapshot;
    this.#podByUid = new Map(snapshot.pods.map((pod) => [pod.uid, pod]));
    this.#peerByNode = new Map(snapshot.peers.map((peer) => [peer.node, peer]));
    for (const pod of snapshot.pods) {
      for (const ip of pod.ips) this.#podByAddress.set(canonicalAddress(ip) ?? ip, pod);
    }
    this.#unattested = new Map(
      unattested.flatMap(({ node, ips }) => ips.map((ip) => [canonicalAddress(ip) ?? ip, node])),
    );
    this.#laneAddresses = new Set(snapshot.peers.map(({ address }) => address));
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
    this.#unmeshedExcept = new Ranges(unmeshedExcept);
    this.#services = new Services(services, (endpoint) => this.#readinessOf(endpoint), random);
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

  /** Where a connection of pod `podUid` to `asked` goes; `isNobodys`: what is no pod's, by an answer. */
  outbound(podUid: string, asked: Endpoint, isNobodys = unheard): Route {
    const from = this.#speaker(podUid);
    if ('kind' in from) return from;
    const choice = this.#services.choose(podUid, asked, isNobodys);
    if (choice && !choice.endpoint) return refused('no-endpoint', choice.why, from);
    return this.#toward(from, choice?.endpoint ?? asked, isNobodys);
  }

  /** The same for a `destination` that is chosen already, where that was a service's. */
  toward(podUid: string, destination: Endpoint, isNobodys = unheard): Route {
    const from = this.#speaker(podUid);
    return 'kind' in from ? from : this.#toward(from, destination, isNobodys);
  }

  #speaker(podUid: string): LocalPod | Refused {
    const { self } = this.#snapshot;
    const from = this.#podByUid.get(podUid);
    if (!from) return refused('not-local', `pod ${podUid} is not in the inventory`);
    return self.trusted ? from : refused('not-trusted', self.reason, from);
  }

  #toward(from: LocalPod, destination: Endpoint, isNobodys: typeof unheard): Route {
    const { policy } = this.#snapshot;
    const local = this.#podByAddress.get(destination.address);
    const remote = local ? undefined : this.#remoteByAddress.get(destination.address);
    if (remote && this.#conflicts.has(destination.address)) {
      return refused('address-conflict', `${destination.address} is claimed by two nodes`, from);
    }
    const to = local ?? remote;
    if (!to) return this.#unmeshed(from, destination, isNobodys);
    const { allow, rule } = decide(policy, from.spiffeId, to.spiffeId, destination.port);
    if (!allow) return refused('policy', rule, from, to);
    if (local) return { kind: 'local', from, to: local, destination, rule };
    const peer = remote && this.#peerByNode.get(remote.node);
    if (!remote || !peer) return refused('no-chain', 'its node is not a peer', from, to);
    return { kind: 'remote', from, to: remote, peer, destination, rule };
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

  /**
   * `client` as a pod's program may see it: an address that the workload directory of `node` gives to its
   * pod `podUid`. Undefined for any other, which would be a claim that nobody has signed, and for what is
   * known to be somebody else's.
   */
  clientOf(node: NodeName, podUid: string, client: Endpoint): Endpoint | undefined {
    const { address } = client;
    const pod = this.#remoteByAddress.get(address);
    const isOthers =
      this.#podByAddress.has(address) ||
      this.#conflicts.has(address) ||
      this.#services.has(address) ||
      this.#laneAddresses.has(address);
    return pod?.node === node && pod.uid === podUid && !isOthers ? client : undefined;
  }

  /** The same for a pod of this node. */
  clientHere(podUid: string, client: Endpoint): Endpoint | undefined {
    return this.#podByAddress.get(client.address)?.uid === podUid ? client : undefined;
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
    const { access, plain } = standing;
    const outside = plain && this.#outside(plain);
    if (outside && 'kind' in outside) return outside;
    if (!access || !isPolicyNew) return undefined;
    const { allow, rule } = decide(policy, access.from, access.to, access.port);
    return allow ? undefined : refused('policy', rule);
  }

  /** A destination that no agent serves, as far as is known. */
  #unmeshed(from: LocalPod, destination: Endpoint, isNobodys: typeof unheard): Route {
    const { address } = destination;
    const isToAsk = this.#snapshot.asks === true && !isNobodys(address);
    if (isToAsk && !this.#unattested.has(address)) {
      const rule = this.#exceptedBy(destination);
      return rule === undefined
        ? { kind: 'unknown', from, destination }
        : { kind: 'plain', from, destination, rule };
    }
    const outside = this.#outside(destination, from);
    return 'kind' in outside ? outside : { kind: 'plain', from, destination, ...outside };
  }

  /** By which setting a destination that no agent serves is reached in the clear; `from`: by whom, if that is new. */
  #outside({ address, port }: Endpoint, from?: LocalPod): { readonly rule: string } | Refused {
    const node = this.#unattested.get(address);
    if (node !== undefined) {
      return refused('not-trusted', `${address} is of ${node}, which is not attested now`, from);
    }
    const rule = this.#plainRule({ address, port });
    if (rule !== undefined) return { rule };
    if (!from && this.#snapshot.isPlainWithheld) return { rule: '' };
    return refused('no-agent', `no agent serves ${address}`, from);
  }

  /** The setting by which a destination that no agent serves is reached in the clear. */
  #plainRule(destination: Endpoint): string | undefined {
    return this.#snapshot.unmeshed === 'plain' ? 'unmeshed: plain' : this.#exceptedBy(destination);
  }

  /** The same where the destination is named: it is reached so, whose ever it may be that nobody knows. */
  #exceptedBy(destination: Endpoint): string | undefined {
    const range = this.#unmeshedExcept.find(destination);
    return range && `unmeshedExcept: ${range.network}`;
  }

  /** Whether an endpoint could be reached now, if policy allows. */
  #readinessOf(endpoint: Endpoint): Readiness {
    const { address } = endpoint;
    if (this.#podByAddress.has(address)) return 'ready';
    if (this.#conflicts.has(address)) return 'out';
    const remote = this.#remoteByAddress.get(address);
    const peer = remote && this.#peerByNode.get(remote.node);
    if (remote) return peer !== undefined && !('refused' in peer.send) ? 'ready' : 'out';
    if (this.#unattested.has(address)) return 'out';
    if (this.#plainRule(endpoint) !== undefined) return 'ready';
    return this.#snapshot.asks === true ? 'unknown' : 'out';
  }

  #claim(address: string, pod: RemotePod): void {
    const other = this.#remoteByAddress.get(address);
    const fallen = this.#unattested.get(address);
    const isTaken = (other && other.node !== pod.node) || (fallen && fallen !== pod.node);
    if (isTaken) this.#conflicts.add(address);
    this.#remoteByAddress.set(address, pod);
  }
}

/** No answer says anything. */
const unheard = (_address: string): boolean => false;

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
