// Every metric of an agent: name, type, what it means, and where its value comes from. Labels are of
// small, closed sets: never a pod, an identity or an address, so that their number is known beforehand
// and a scrape tells a stranger nothing of who talks to whom. docs/metrics.md explains each.
import type { CanaryState } from '#agent/health/canary.ts';
import type { Status } from '#agent/api/status.ts';
import { PROBE_KINDS } from '#probes/events.ts';
import { CLOSES, REFUSALS, type CounterTotals } from '#proxy/counters.ts';
import type { ProcessUse } from './processes.ts';

/** What one scrape is made of. */
export interface Sample {
  readonly status: Status;
  readonly totals: CounterTotals;
  /** Connections that have no line in the log. */
  readonly eventsDropped: number;
  readonly isReady: boolean;
  readonly canary: CanaryState;
  /** Absent for a process that does not run. */
  readonly processes: Readonly<Record<'control' | 'data', ProcessUse | undefined>>;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/** A value, or one per value of the label; what is undefined is left out of the scrape. */
type Values = number | undefined | Readonly<Record<string, number | undefined>>;

export interface Family {
  readonly name: `tidelock_${string}`;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly label?: string;
  readonly values: (sample: Sample) => Values;
}

const PROBE_STATES = ['starting', 'running', 'degraded', 'off'] as const;
const VERDICTS = ['affirming', 'warning', 'contraindicated', 'none'] as const;

const counter = (
  name: `tidelock_${string}_total`,
  help: string,
  values: Family['values'],
  label?: string,
): Family => ({ name, type: 'counter', help, values, ...(label !== undefined && { label }) });

const gauge = (
  name: `tidelock_${string}`,
  help: string,
  values: Family['values'],
  label?: string,
): Family => ({ name, type: 'gauge', help, values, ...(label !== undefined && { label }) });

const flag = (isSo: boolean): number => (isSo ? 1 : 0);
const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1000;
/** How many of `items` are in each of `states`, those of none included. */
const tally = <T>(
  states: readonly string[],
  items: readonly T[],
  stateOf: (item: T) => string,
): Record<string, number> =>
  Object.fromEntries(
    states.map((state) => [state, items.filter((item) => stateOf(item) === state).length]),
  );
const eachProcess = (
  { processes: { control, data } }: Sample,
  of: (use: ProcessUse) => number,
): Values => ({ control: control && of(control), data: data && of(data) });

/** Connections and what they carry. */
const TRAFFIC: readonly Family[] = [
  gauge('tidelock_connections', 'Connections alive now.', ({ totals }) => totals.active),
  counter(
    'tidelock_connections_opened_total',
    'Connections that were let through: out and in over a lane, local within the node, plain to a destination without an agent.',
    ({ totals }) => ({
      out: totals.lanesOpenedOut,
      in: totals.lanesOpenedIn,
      local: totals.lanesSameNode,
      plain: totals.plainOut,
    }),
    'direction',
  ),
  counter(
    'tidelock_connections_closed_total',
    'Connections that have ended, by how.',
    ({ totals }) =>
      Object.fromEntries(CLOSES.map((reason) => [reason, totals[`closed.${reason}`]])),
    'reason',
  ),
  counter(
    'tidelock_connections_refused_total',
    'Connections and lanes that were refused, by why.',
    ({ totals }) =>
      Object.fromEntries(REFUSALS.map((reason) => [reason, totals[`refused.${reason}`]])),
    'reason',
  ),
  counter(
    'tidelock_traffic_bytes_total',
    'Bytes of applications carried, without frames and tags.',
    ({ totals }) => ({ out: totals.bytesOut, in: totals.bytesIn }),
    'direction',
  ),
  counter(
    'tidelock_key_updates_total',
    'Times that a lane moved to new keys while it lived.',
    ({ totals }) => totals.keyUpdates,
  ),
  counter(
    'tidelock_forged_frames_total',
    'Frames that were not what the peer sealed; each ended its lane.',
    ({ totals }) => totals.forgedFrames,
  ),
  counter(
    'tidelock_strangers_total',
    'Connections to the lane port that showed no key.',
    ({ totals }) => totals.strangers,
  ),
  gauge(
    'tidelock_strangers',
    'Connections to the lane port that have shown no key yet.',
    ({ totals }) => totals.strangersOpen,
  ),
  counter(
    'tidelock_plaintext_in_connections_total',
    'Connections from outside of lanes that a pod took.',
    ({ status }) => status.outside.counts?.plainIn,
  ),
  counter(
    'tidelock_plaintext_in_refused_packets_total',
    'TCP packets from outside of lanes that were answered by a reset.',
    ({ status }) => status.outside.counts?.refusedIn,
  ),
  counter(
    'tidelock_redirect_evaded_packets_total',
    'TCP packets that would have left a pod past its redirect, and were dropped.',
    ({ status }) => status.outside.counts?.droppedOut,
  ),
  counter(
    'tidelock_udp_packets_total',
    'UDP of captured pods: out and in that passed, refused in either direction.',
    ({ status: { outside } }) => ({
      out: outside.counts?.udpOut,
      in: outside.counts?.udpIn,
      refused: outside.counts?.udpRefused,
    }),
    'direction',
  ),
  counter(
    'tidelock_connection_events_dropped_total',
    'Ends and refusals of connections that have no line in the log because there were too many.',
    ({ eventsDropped }) => eventsDropped,
  ),
];

/** Whether the node does what it is for. */
const HEALTH: readonly Family[] = [
  gauge('tidelock_ready', '1 when /readyz says ready.', ({ isReady }) => flag(isReady)),
  counter(
    'tidelock_canaries_total',
    'Canaries this node has sent, by whether they came back.',
    ({ canary }) => ({ passed: canary.passed, failed: canary.failed }),
    'result',
  ),
  gauge(
    'tidelock_peers_silent',
    'Peers from which the last canary sent to them did not come back.',
    ({ canary }) => canary.silent.size,
  ),
  counter(
    'tidelock_canaries_answered_total',
    'Canaries of other nodes that this one has answered.',
    ({ totals }) => totals.canariesAnswered,
  ),
  gauge(
    'tidelock_canary_seconds',
    'How long the last canary took, if it came back from a peer: connect, open, there and back.',
    ({ canary }) => seconds(canary.last?.peer?.tookMs),
  ),
  gauge(
    'tidelock_canary_age_seconds',
    'Time since a canary last came back.',
    ({ canary: { last }, nowMs }) => last && seconds(nowMs - last.atMs),
  ),
  gauge(
    'tidelock_node_verdict',
    '1 at the present verdict about this node.',
    ({ status }) =>
      Object.fromEntries(
        VERDICTS.map((verdict) => [verdict, flag(verdict === status.node.verdict)]),
      ),
    'verdict',
  ),
  gauge(
    'tidelock_attestation_age_seconds',
    'Time since this node was last attested.',
    ({ status, nowMs }) => {
      const at = status.node.renewedAt;
      return at === undefined ? undefined : seconds(nowMs - Date.parse(at));
    },
  ),
  gauge(
    'tidelock_pods',
    'Pods of this node in the inventory, by whether their traffic is captured.',
    ({ status }) =>
      tally(['captured', 'failed'], status.pods, ({ captured }) =>
        captured ? 'captured' : 'failed',
      ),
    'state',
  ),
  gauge(
    'tidelock_warnings',
    'Problems that need an operator, as status shows them.',
    ({ status }) => status.warnings.length,
  ),
];

/** The epoch plane: rotation and who takes part in it. */
const EPOCHS: readonly Family[] = [
  gauge('tidelock_bus_connected', '1 while the bus is connected.', ({ status }) =>
    flag(status.epochs.busConnected),
  ),
  gauge('tidelock_conductor', '1 while this node conducts.', ({ status }) =>
    flag(status.epochs.isConductor),
  ),
  gauge('tidelock_term', 'Term of the newest record.', ({ status }) => status.epochs.term),
  gauge(
    'tidelock_generation',
    'Generation of the newest chain in effect.',
    ({ status }) => status.epochs.generation,
  ),
  gauge(
    'tidelock_epoch',
    'Epoch of the newest chain in effect.',
    ({ status }) => status.epochs.epoch,
  ),
  gauge('tidelock_slot', 'Number of the present slot.', ({ status }) => status.epochs.slot),
  gauge('tidelock_period_seconds', 'Length of a slot.', ({ status }) =>
    seconds(status.epochs.periodMs),
  ),
  gauge('tidelock_record_age_seconds', 'Time since the last epoch record.', ({ status }) =>
    seconds(status.epochs.lastRecordAgeMs),
  ),
  counter(
    'tidelock_chains_total',
    'Chains that came into effect since the agent started.',
    ({ status }) => status.epochs.chainsSeen,
  ),
  counter(
    'tidelock_slots_total',
    'Slots since the agent started.',
    ({ status }) => status.epochs.slotsSeen,
  ),
  gauge(
    'tidelock_chain_algorithm',
    '1 at the CHIPS algorithm of the newest chain in effect.',
    ({ status: { epochs } }) => {
      const current = epochs.chains.find(
        ({ epoch, generation }) => epoch === epochs.epoch && generation === epochs.generation,
      );
      return current === undefined ? {} : { [current.algorithm]: 1 };
    },
    'algorithm',
  ),
  gauge(
    'tidelock_peers',
    'Peers in use, by the verdict about them.',
    ({ status }) => tally(VERDICTS, status.peers, ({ verdict }) => verdict),
    'verdict',
  ),
  gauge(
    'tidelock_peers_sendable',
    'Peers to which a lane can be opened now.',
    ({ status }) => status.peers.filter(({ sendChain }) => sendChain !== undefined).length,
  ),
  gauge(
    'tidelock_peer_clock_offset_seconds',
    'The largest offset, without its sign, that a peer has announced of its clock.',
    ({ status }) =>
      seconds(Math.max(0, ...status.peers.map(({ clockOffsetMs = 0 }) => Math.abs(clockOffsetMs)))),
  ),
  counter(
    'tidelock_asymmetric_operations_total',
    'Asymmetric operations: of statements and tokens, and all others; never one per connection.',
    ({ status: { asymmetric } }) => ({
      statements: asymmetric.statements,
      tokens: asymmetric.tokens,
      other: asymmetric.total - asymmetric.statements - asymmetric.tokens,
    }),
    'purpose',
  ),
];

/** What the kernel shows of pods. */
const PROBES: readonly Family[] = [
  gauge(
    'tidelock_probes_state',
    '1 at the present state of the probes.',
    ({ status }) =>
      Object.fromEntries(PROBE_STATES.map((state) => [state, flag(state === status.probes.state)])),
    'state',
  ),
  counter(
    'tidelock_probe_events_total',
    'What the probes saw; a bypass is a captured connection that left without the redirect.',
    ({ status: { probes } }) =>
      Object.fromEntries(PROBE_KINDS.map((kind) => [kind, probes.events[kind] ?? 0])),
    'kind',
  ),
  counter(
    'tidelock_probe_events_lost_total',
    'Events that the kernel or the agent could not keep up with.',
    ({ status }) => status.probes.lost,
  ),
];

/** The processes themselves. */
const PROCESSES: readonly Family[] = [
  gauge(
    'tidelock_build_info',
    '1, with the version as label.',
    ({ status }) => ({
      [status.agent.version]: 1,
    }),
    'version',
  ),
  gauge('tidelock_uptime_seconds', 'Time since the agent started.', ({ status }) =>
    seconds(status.agent.uptimeMs),
  ),
  gauge('tidelock_data_plane_up', '1 while a data plane runs.', ({ status }) =>
    flag(status.dataPlane.state === 'running'),
  ),
  counter(
    'tidelock_data_plane_restarts_total',
    'Times that the data plane was started again.',
    ({ status }) => status.dataPlane.restarts,
  ),
  gauge(
    'tidelock_workers',
    'Worker threads of the data plane.',
    ({ status }) => status.dataPlane.workers,
  ),
  gauge(
    'tidelock_workers_working',
    'Worker threads of the data plane that have not ended by a defect.',
    ({ status }) => status.dataPlane.working,
  ),
  gauge(
    'tidelock_workers_spare',
    'Threads that stand by for a worker that ends.',
    ({ status }) => status.dataPlane.spares,
  ),
  gauge(
    'tidelock_worker_connections',
    'Connections alive now, by the number of the worker that carries them.',
    ({ status }) => Object.fromEntries(status.dataPlane.lanesByWorker.entries()),
    'worker',
  ),
  counter(
    'tidelock_process_cpu_seconds_total',
    'Processor time of a process, user and system.',
    (sample) => eachProcess(sample, ({ cpuSeconds }) => cpuSeconds),
    'process',
  ),
  gauge(
    'tidelock_process_resident_memory_bytes',
    'Memory that a process holds.',
    (sample) => eachProcess(sample, ({ residentBytes }) => residentBytes),
    'process',
  ),
  gauge(
    'tidelock_process_open_fds',
    'File descriptors that a process holds; a lane takes two.',
    (sample) => eachProcess(sample, ({ openFds }) => openFds),
    'process',
  ),
  gauge(
    'tidelock_process_max_fds',
    'File descriptors that a process may hold.',
    (sample) => eachProcess(sample, ({ maxFds }) => maxFds),
    'process',
  ),
];

export const FAMILIES: readonly Family[] = [
  ...TRAFFIC,
  ...HEALTH,
  ...EPOCHS,
  ...PROBES,
  ...PROCESSES,
];
