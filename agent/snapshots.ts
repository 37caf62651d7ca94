// Makes the data plane's snapshot out of what the control plane knows at one moment. It decides the
// two large questions, whether this node may carry anything and to whom, and leaves the rest as it is.
import type { Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { EpochPlane } from '#agent/epochs/plane.ts';
import type { Attestor } from '#agent/epochs/attestor.ts';
import type { Examiner } from '#agent/epochs/examiner.ts';
import type { ChainKeeper } from '#agent/epochs/keeper.ts';
import type { OwnListed, OwnStatements } from '#agent/epochs/ownStatements.ts';
import type { RecordFollower } from '#agent/epochs/follower.ts';
import type { PeerBook, PeerState } from '#agent/epochs/peers.ts';
import type { PeersInUse } from '#agent/epochs/peersInUse.ts';
import type { Inventory } from '#agent/inventory/inventory.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { CompiledPolicy } from '#proxy/policy.ts';
import { resolved, type EndpointPod } from '#agent/inventory/services.ts';
import type { LocalPod, Peer, SelfState, Snapshot } from '#proxy/snapshot.ts';
import { Acquaintance, type AcquaintanceOptions } from './acquaintance.ts';
import type { Aliases } from './aliases.ts';
import { Bounds } from './bounds.ts';
import type { Captures } from './captures.ts';
import type { Config } from './config.ts';
import { remotesOf, unattestedOf } from './remotePods.ts';

export interface SnapshotSources {
  readonly config: Config;
  readonly plane: EpochPlane;
  readonly attestor: Attestor;
  readonly examiner: Examiner;
  readonly keeper: ChainKeeper;
  readonly own: OwnStatements;
  readonly peers: PeerBook;
  readonly inUse: PeersInUse;
  readonly follower: Pick<RecordFollower, 'roster'>;
  readonly aliases: Aliases;
  readonly captures: Captures;
  readonly inventory: Pick<Inventory, 'pods' | 'services'>;
  readonly policy: () => CompiledPolicy;
}

export interface SnapshotsOptions {
  readonly sources: SnapshotSources;
  readonly slots: SlotClock;
  readonly slot: () => Slot;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly members: AcquaintanceOptions['members'];
  readonly publish: (snapshot: Snapshot) => void;
}

/** Several changes within this time make one snapshot. */
const SETTLE_MS = 10;
/** From one to the next: a slot begins with half a dozen changes, and each snapshot holds up every worker. */
const APART_MS = 100;

/** Publishes a new snapshot soon after something changed, and wipes the chain keys of the one before. */
export class Snapshots {
  readonly #o: SnapshotsOptions;
  readonly #acquaintance: Acquaintance;
  #last: Snapshot | undefined;
  #pending = false;
  readonly #waiting: (() => void)[] = [];
  /** Monotonic; of the last one. */
  #madeAtMs = -Infinity;

  constructor(options: SnapshotsOptions) {
    this.#o = options;
    const { sources, members, clock } = options;
    this.#acquaintance = new Acquaintance({
      members,
      peer: (node) => sources.peers.get(node),
      clock,
      periodMs: sources.config.epochs.periodMs,
    });
  }

  changed(): void {
    if (this.#pending) return;
    this.#pending = true;
    const { clock, signal } = this.#o;
    const inMs = Math.max(SETTLE_MS, this.#madeAtMs + APART_MS - clock.monoMs());
    clock.after(inMs, () => {
      this.#pending = false;
      if (signal.aborted) return;
      this.#publish();
      this.#madeAtMs = clock.monoMs();
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  /** Resolves when a snapshot was published that has everything of now. */
  told(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.changed();
    });
  }

  #publish(): void {
    const { sources, slots, slot, publish } = this.#o;
    const before = this.#last;
    const made = makeSnapshot(sources, (before?.version ?? 0) + 1, slots.timeMs(), slot());
    const isKnown = this.#acquaintance.isMade(made.self.trusted);
    const snapshot = isKnown ? made : withoutPlain(made);
    publish(snapshot);
    this.#last = snapshot;
    for (const chain of before?.chains ?? []) chain.key.fill(0);
  }
}

/** Nobody new is reached in the clear. */
const withoutPlain = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  unmeshed: 'refuse',
  unmeshedExcept: [],
  isPlainWithheld: true,
});

/** Keys of chains in the result are copies that its receiver wipes; pair secrets are not. */
function makeSnapshot(from: SnapshotSources, version: number, nowMs: number, slot: Slot): Snapshot {
  const { config, plane, keeper, peers, inUse, follower } = from;
  const own = from.own.listed;
  const state = selfState(from);
  const sendable = keeper.sendable(nowMs);
  const bounds = new Bounds(from);
  const remotes = peers.all().flatMap((peer) => remotesOf(peer, bounds));
  const stale = plane.stale
    ? 'no record came for longer than epochs.maxStalenessSeconds'
    : undefined;
  return {
    version,
    self: state,
    chains: keeper.live(),
    peers: peers.all().map((peer) => peerOf(from, peer, own, sendable, nowMs, stale)),
    pods: from.captures.pods().map(({ spec }) => podOf(from, spec, own, slot)),
    remotes,
    policy: from.policy(),
    ...(inUse.areAll(follower.roster) ? {} : { asks: true }),
    unmeshed: config.lanes.unmeshed,
    limits: { ...config.lanes.limits, halfClosedMs: config.lanes.halfClosedSeconds * 1000 },
    unmeshedExcept: config.lanes.unmeshedExcept,
    unattested: peers.all().flatMap((peer) => unattestedOf(peer, bounds)),
    services: resolved(from.inventory.services(), [...endpointsHere(from), ...remotes]),
  };
}

/** Pods of this node that a service can lead to: those that are captured. */
export const endpointsHere = ({
  captures,
  config: { node },
}: Pick<SnapshotSources, 'captures' | 'config'>): EndpointPod[] =>
  captures.pods().flatMap(({ captured, spec }) => (captured ? [{ ...spec, node }] : []));

function selfState({ config, plane, attestor, own }: SnapshotSources): SelfState {
  const { domain, cluster, node } = config;
  const failed = attestor.state.verdict === 'contraindicated';
  const closed = plane.stale && config.epochs.onStale === 'closed';
  const reason = failed
    ? `this node failed attestation: ${attestor.state.reason}`
    : !plane.admitted
      ? 'this node is not admitted to the cluster'
      : closed
        ? 'no epoch record came for longer than epochs.maxStalenessSeconds'
        : '';
  return {
    domain,
    cluster,
    node,
    sids:
      reason === '' && !plane.stale ? own.addressable.map((each) => each.own.statement.sid) : [],
    trusted: reason === '',
    reason,
  };
}

function peerOf(
  from: SnapshotSources,
  peer: PeerState,
  own: readonly OwnListed[],
  sendable: Parameters<PeerBook['choose']>[2],
  nowMs: number,
  stale: string | undefined,
): Peer {
  const { peers } = from;
  const lane = peer.directory?.lane;
  const pairs = peers.pairs(peer, from.own.addressable);
  const send: Peer['send'] =
    stale !== undefined
      ? { refused: stale }
      : lane === undefined
        ? { refused: peer.refused ?? `${peer.node} has not said where its lane port is` }
        : peers.choose(peer, own, sendable, nowMs);
  return {
    node: peer.node,
    address: lane?.address ?? '0.0.0.0',
    port: lane?.port ?? 0,
    statements: peer.accepted.map(({ statement }) => ({
      sid: statement.sid,
      ed25519: statement.sign.ed25519,
    })),
    pairs,
    send,
  };
}

function podOf(
  { aliases, examiner }: SnapshotSources,
  spec: ReturnType<Captures['pods']>[number]['spec'],
  own: readonly OwnListed[],
  slot: Slot,
): LocalPod {
  const speakers = own.flatMap(({ own }) => {
    const examined = examiner.remembered(own.statement.sid);
    return examined ? [{ own, evidenceDigest: examined.evidenceDigest }] : [];
  });
  const { uid, namespace, name, serviceAccount, spiffeId, ips } = spec;
  const tokens = aliases.tokens(spec, slot, speakers);
  return { uid, namespace, name, serviceAccount, spiffeId, ips, tokens };
}
