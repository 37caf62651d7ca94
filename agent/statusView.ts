// What `GET /status` answers: the state of every part at one moment, in words and numbers an operator
// can use. It reads and never changes anything.
import { asymmetricCounts } from '#agent/base/asymmetric.ts';
import { slotAt } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import type { Status } from '#agent/api/status.ts';
import type { Bus } from '#agent/epochs/bus.ts';
import { contestedAddresses, contestedUids } from '#agent/epochs/directory.ts';
import type { Conductor } from '#agent/epochs/conductor.ts';
import type { Lease } from '#agent/epochs/lease.ts';
import type { RecordFollower } from '#agent/epochs/follower.ts';
import type { PeerState } from '#agent/epochs/peers.ts';
import type { EndpointPod } from '#agent/inventory/services.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import { REFUSALS, type CounterTotals } from '#proxy/counters.ts';
import type { DataPlaneStatus } from '#proxy/plane.ts';
import { bypassText, type Probes } from '#probes/probes.ts';
import { Bounds } from './bounds.ts';
import type { PodState } from './captures.ts';
import type { Config } from './config.ts';
import type { Host } from './host.ts';
import type { EventRing } from './log.ts';
import { countsOf, outsideOf } from './outsideView.ts';
import { remotesOf } from './remotePods.ts';
import { servicesOf } from './servicesView.ts';
import { endpointsHere, type SnapshotSources } from './snapshots.ts';
import { VERSION } from './version.ts';

export interface StatusSources extends SnapshotSources {
  readonly bus: Bus;
  readonly conductor: Conductor;
  readonly lease: Lease;
  readonly follower: RecordFollower;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly startedAtMs: number;
  readonly events: EventRing;
  readonly probes: Pick<Probes, 'status' | 'bypasses'>;
  readonly host: () => Host | undefined;
  readonly counters: () => CounterTotals;
  readonly dataPlane: () => DataPlaneStatus;
  /** Problems of the moment that need an operator. */
  readonly problems: () => readonly (TidelockError | undefined)[];
}

export function statusOf(from: StatusSources): Status {
  const { clock, startedAtMs, captures, events } = from;
  const dataPlane = from.dataPlane();
  const own = asymmetricCounts();
  const totals = from.counters();
  const bounds = new Bounds(from);
  return {
    agent: {
      version: VERSION,
      pid: process.pid,
      startedAt: new Date(startedAtMs).toISOString(),
      uptimeMs: clock.wallMs() - startedAtMs,
    },
    ...(from.host() ? { host: from.host() } : {}),
    node: nodeOf(from),
    epochs: epochsOf(from),
    peers: from.peers.all().map((peer) => peerOf(from, peer, dataPlane)),
    lanes: lanesOf(from.config.lanes, totals),
    outside: outsideOf(from, totals),
    asymmetric: {
      total: own.total + dataPlane.asymmetric.total,
      statements: own.statements,
      tokens: own.tokens + dataPlane.asymmetric.tokens,
    },
    pods: captures.pods().map((pod) => podOf(captures, pod)),
    services: servicesOf(from.inventory.services(), endpointPods(from, bounds)),
    dataPlane: {
      ...(dataPlane.pid > 0 ? { pid: dataPlane.pid } : {}),
      uid: dataPlane.uid,
      workers: dataPlane.workers,
      working: dataPlane.working,
      spares: dataPlane.spares,
      lanesByWorker: [...dataPlane.lanesByWorker],
      state: dataPlane.state,
      restarts: dataPlane.restarts,
    },
    probes: probesOf(from.probes),
    events: [...events.events()],
    warnings: [
      ...problemsOf(from),
      ...crewOf(dataPlane),
      ...bounds.findings(from.peers.all()),
      ...conflictsOf(from, bounds),
      ...hiddenClientsOf(from),
    ],
  };
}

/** Pods that a service could lead to now. */
const endpointPods = (from: StatusSources, bounds: Bounds): EndpointPod[] => [
  ...endpointsHere(from),
  ...from.peers.all().flatMap((peer) => remotesOf(peer, bounds)),
];

function podOf(
  captures: StatusSources['captures'],
  { spec, captured, error, sourceProblem }: PodState,
): Status['pods'][number] {
  const { uid, namespace, name, spiffeId, ips } = spec;
  const outside = countsOf(captures, uid);
  return {
    uid,
    namespace,
    name,
    spiffeId,
    ips: [...ips],
    captured,
    ...(error ? { error: error.message } : {}),
    ...(sourceProblem === undefined ? {} : { sourceProblem }),
    ...(outside && { outside }),
  };
}

const problemsOf = ({ problems }: StatusSources): string[] =>
  problems()
    .filter((problem) => problem !== undefined)
    .map(({ message, hint }) => `${message}${message.includes('\n') ? '\n' : '. '}${hint}`);

function probesOf(probes: StatusSources['probes']): Status['probes'] {
  const { elsewhere: _ofNobody, ...status } = probes.status();
  const bypasses = probes.bypasses().map(({ where, packets, untold, last }) => ({
    pod: `${where.namespace}/${where.name}`,
    packets,
    untold,
    last: last.map((event) => ({ at: event.at, text: bypassText(event) })),
  }));
  const { events, gaps, unwatched } = status;
  return {
    ...status,
    events: { ...events },
    gaps: [...gaps],
    unwatched: [...unwatched],
    bypasses,
  };
}

/** Where workers have ended by a defect, the others carry on without them. */
function crewOf({ state, working, workers }: DataPlaneStatus): string[] {
  if (state !== 'running' || working >= workers) return [];
  return [
    `${workers - working} of ${workers} workers of the data plane have ended. Restart the agent at a time of your choice, and report the plane.worker events of its log.`,
  ];
}

/** What two other nodes claim is a finding, and led to by neither (PROTOCOL 3.6). */
function conflictsOf({ peers }: StatusSources, bounds: Bounds): string[] {
  const claims = peers
    .all()
    .map(({ node, directory }) => ({ node, pods: bounds.believed(directory?.pods ?? []) }));
  return [
    ...[...contestedAddresses(claims)].map(
      ([ip, nodes]) =>
        `${ip} is claimed by ${nodes.join(' and ')} and refused as a destination. Two pods have one address, or a node announces what is not its own.`,
    ),
    ...[...contestedUids(claims)].map(
      ([uid, nodes]) =>
        `Pod uid ${uid} is claimed by ${nodes.join(' and ')}: no service leads to it by that. A node announces what is not its own.`,
    ),
  ];
}

/** Programs that are to see their clients and cannot. */
const hiddenClientsOf = ({ captures }: StatusSources): string[] =>
  captures
    .pods()
    .flatMap(({ spec: { namespace, name }, sourceProblem }) =>
      sourceProblem === undefined
        ? []
        : `Programs in ${namespace}/${name} see the pod itself as their peer and not their clients: ${sourceProblem}. Run tidelock doctor explain clients.`,
    );

function nodeOf({ config, plane, own, attestor }: StatusSources): Status['node'] {
  const { state } = attestor;
  const { appraisal } = state;
  const admitted = plane.admitted ? '' : 'not admitted to the cluster yet';
  const sid = (own.listed[0]?.own ?? attestor.current)?.statement.sid;
  return {
    name: config.node,
    domain: config.domain,
    cluster: config.cluster,
    ...(sid ? { sid } : {}),
    verdict: state.verdict,
    level: appraisal ? 'tpm' : 'none',
    reason: state.reason || admitted,
    checks: (appraisal?.checks ?? []).map(({ name, result, text }) => ({ name, result, text })),
    ...(state.renewedAtMs === undefined
      ? {}
      : { renewedAt: new Date(state.renewedAtMs).toISOString() }),
    pcrs: { ...appraisal?.pcrs },
  };
}

function epochsOf(from: StatusSources): Status['epochs'] {
  const { config, plane, keeper, peers, bus, conductor, lease, follower, slots } = from;
  const nowMs = slots.timeMs();
  const [current] = keeper.inEffect(nowMs);
  const periodMs = current?.periodMs ?? config.epochs.periodMs;
  const holder = conductor.leading
    ? config.node
    : (follower.newest?.conductor.node ?? lease.holder?.node);
  return {
    ...(holder ? { conductor: holder } : {}),
    isConductor: conductor.leading,
    term: follower.newest?.term ?? 0,
    generation: current?.generation ?? 0,
    epoch: current?.epoch ?? 0,
    slot: slotAt(nowMs, periodMs),
    periodMs,
    chains: keeper
      .chains()
      .slice(0, SHOWN_CHAINS)
      .map((chain) => ({
        id: chain.id,
        epoch: chain.epoch,
        generation: chain.generation,
        algorithm: chipsAlgorithm(chain.algorithm)?.name ?? `#${chain.algorithm}`,
        atSlot: chain.atSlot,
        confirmedBy: peers
          .all()
          .filter((peer) => peer.confirmed.has(chain.id))
          .map(({ node }) => node),
      })),
    chainsSeen: plane.seen.chains,
    slotsSeen: plane.seen.slots,
    algorithmsSeen: plane.seen.algorithms.map((id) => chipsAlgorithm(id)?.name ?? `#${id}`),
    busConnected: bus.connected,
    ...(Number.isFinite(follower.silenceMs)
      ? { lastRecordAgeMs: Math.round(follower.silenceMs) }
      : {}),
  };
}

/** Older chains are kept for peers that lag; an operator wants the newest. */
const SHOWN_CHAINS = 8;

/** For a moment after it was chosen with what to open lanes. */
const NOT_TOLD = { refused: 'the data plane does not use its keys yet' };

function peerOf(
  { own, peers, keeper, slots, clock }: StatusSources,
  peer: PeerState,
  { reaches }: DataPlaneStatus,
): Status['peers'][number] {
  const nowMs = slots.timeMs();
  const [newest] = peer.accepted;
  const chosen = peers.choose(peer, own.listed, keeper.sendable(nowMs), nowMs);
  const send = 'refused' in chosen || reaches.has(peer.node) ? chosen : NOT_TOLD;
  const lane = peer.directory?.lane;
  return {
    node: peer.node,
    address: lane ? `${lane.address} port ${lane.port}` : 'unknown',
    ...(newest ? { sid: newest.statement.sid } : {}),
    verdict: newest?.appraisal.verdict ?? 'none',
    reason: peer.refused ?? '',
    ...(newest ? { expiresInMs: newest.entry.expiresAt - clock.wallMs() } : {}),
    ...('refused' in send ? { refused: send.refused } : { sendChain: send.chainId }),
    ...(peer.presence ? { clockOffsetMs: peer.presence.clockOffsetMs } : {}),
  };
}

const lanesOf = (
  { sourceAddress, onStop, halfClosedSeconds, limits }: Config['lanes'],
  totals: CounterTotals,
): Status['lanes'] => ({
  active: totals.active,
  openedOut: totals.lanesOpenedOut,
  openedIn: totals.lanesOpenedIn,
  sameNode: totals.lanesSameNode,
  refused: Object.fromEntries(
    REFUSALS.flatMap((reason) => {
      const n = totals[`refused.${reason}`];
      return n > 0 ? [[reason, n]] : [];
    }),
  ),
  bytesOut: totals.bytesOut,
  bytesIn: totals.bytesIn,
  keyUpdates: totals.keyUpdates,
  strangers: totals.strangers,
  replayed: totals['refused.replayed'],
  sourceAddress,
  onStop,
  halfClosedSeconds,
  limits: { ...limits },
});
