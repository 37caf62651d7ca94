// The one place where an agent is wired: every part is made here (those of epochs by openEpochs), given what it needs, and ended in
// the reverse order. It decides nothing.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { serveControl } from '#agent/api/control.ts';
import { machineAsleepMs, type Clock } from '#agent/base/clock.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import { hex } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import { documentHash, type SignedDocument } from '#agent/base/signed.ts';
import { openBus } from '#agent/epochs/bus.ts';
import { openEpochs } from '#agent/epochs/epochs.ts';
import { Examiner } from '#agent/epochs/examiner.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { PeersFile } from '#agent/epochs/peersFile.ts';
import { Revocations } from '#agent/epochs/revocations.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import { nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';
import { Health } from '#agent/health/health.ts';
import { openFileInventory } from '#agent/inventory/file.ts';
import { nodesNamed } from '#agent/inventory/services.ts';
import { openPolicyFiles } from '#agent/policy/files.ts';
import { endorse } from '#attest/endorse.ts';
import { openTpm } from '#attest/tpm/tpm.ts';
import { CHIPS } from '#proxy/chips/registry.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { closeListener } from '#proxy/native/listening.ts';
import { startProbes } from '#probes/probes.ts';
import { Aliases } from './aliases.ts';
import { awaitEnrolment, isToBeEndorsed } from './awaitEnrolment.ts';
import { Captures } from './captures.ts';
import type { Config } from './config.ts';
import { openDataPlane } from './dataPlane.ts';
import { hostOf } from './host.ts';
import { openLaneListener } from './laneListener.ts';
import { leaseOf } from './leaseOf.ts';
import type { EventRing, Log } from './log.ts';
import { ownEvidence } from './ownEvidence.ts';
import {
  readAttestationPolicy,
  readOwnDelegation,
  readOwnEnrolment,
  readReference,
} from './ownerDocuments.ts';
import { prepareProcess, termsOf } from './prerequisites.ts';
import { LaneEvents } from './laneEvents.ts';
import { Snapshots, type SnapshotSources } from './snapshots.ts';
import { probedInbound, probedPods } from './probedPods.ts';
import { factsOf } from '#agent/report/facts.ts';
import { Reporting } from './reporting.ts';
import { routesOf, type RouteSources } from './routes.ts';
import { statusOf } from './statusView.ts';
import { ConnectionMemory } from '#agent/why/memory.ts';
import { reach } from '#agent/why/reach.ts';
import { Succession } from './succession.ts';

export interface AgentDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRing;
  /** Ends the agent gracefully. */
  readonly signal: AbortSignal;
}

/** Live lanes may go on this long while a stopping agent waits for them. */
const DRAIN_MS = 5000;

/** Runs the agent of this node until the signal. Errors: those of a start that cannot work. */
export async function runAgent(
  config: Config,
  { clock, log, events, signal }: AgentDeps,
): Promise<void> {
  prepareProcess();
  await using stack = new AsyncDisposableStack();
  const startedAtMs = clock.wallMs();
  const { domain, cluster, node, owners } = config;
  const { periodMs } = config.epochs;
  const subjects = subjectsOf(cluster);
  const report = (problem: TidelockError | undefined): void => {
    if (problem) log.error('config.problem', { error: problem });
  };

  // What the owners signed, and what this host was told
  const { document: policyDocument, policy } = await readAttestationPolicy(config);
  const delegation = await readOwnDelegation(config);
  const held = (await isToBeEndorsed(config)) ? undefined : await readOwnEnrolment(config);
  const reference = await readReference(config, policy);
  const { maxStalenessMs, renewMs, ttlMs } = termsOf(config, policy);
  const policyHash = hex(documentHash(policyDocument as SignedDocument));
  const access = await openPolicyFiles({ ...config.policy, clock, report });
  stack.defer(() => access.close());
  const inventory = await openFileInventory({
    file: config.inventory.file,
    naming: { template: config.inventory.spiffeTemplate, domain, cluster },
    clock,
    report,
  });
  stack.defer(() => inventory.close());
  const tpm = stack.use(openTpm({ ...config.tpm, run, workDir: config.paths.runDir }));

  // Epochs
  const bus = openBus({
    ...config.bus,
    name: `tidelock ${node}`,
    inboxPrefix: inboxOf(nodeToken(node)),
    ...busLayout(subjects, maxStalenessMs, config.bus.replicas),
    clock,
    random: Math.random,
    log,
  });
  stack.defer(() => bus.close());
  const terms = { owners, policy };
  const own =
    held ??
    (delegation &&
      (await awaitEnrolment({
        config,
        bus,
        subjects,
        tpm,
        delegation,
        terms,
        domain,
        cluster,
        node,
        clock,
        random: Math.random,
        log,
        signal,
      })));
  if (!own) return;
  const { document: enrolment } = own;
  const slots = new SlotClock(clock, periodMs, machineAsleepMs);
  const names = { node, domain, cluster, periodMs, maxStalenessMs };
  const ends = { bus, subjects, clock: slots.asClock(), log, ...names };
  const revocations = await Revocations.open({
    ...ends,
    owners,
    directory: `${config.paths.stateDir}/revocations`,
  });
  const reporting = new Reporting({
    directory: `${config.paths.stateDir}/reports`,
    domain,
    cluster,
    node,
    owners,
    policy: policyDocument,
    enrolment,
    facts: () => factsOf(statusOf(routed)),
    clock,
    log,
  });
  stack.defer(() => reporting.close());
  const lease = await leaseOf(config, { bus, clock, random: Math.random, log });
  stack.defer(() => lease.close());
  const epochs = openEpochs({
    ...ends,
    clock,
    slots,
    lease,
    revocations,
    peersFile: new PeersFile(`${config.paths.stateDir}/peers.json`, log),
    examinerOf: (history) =>
      new Examiner({
        ...ends,
        owners,
        policy,
        reference,
        history,
        takesEndorsed: delegation !== undefined,
        enrolmentOf: async (of) =>
          of === node
            ? enrolment
            : (await bus.get(subjects.buckets.enrolment, nodeToken(of)))?.value,
        revocationOf: (of) => revocations.of(of),
        maxAgeMs: ttlMs,
      }),
    collect: async (statement, challenge) =>
      reporting.taken(await ownEvidence(config, { tpm, policy, statement, challenge })),
    enrolment,
    endorsing:
      delegation && own.endorsedBy.length === 0
        ? {
            delegation,
            enrolment: own.enrolment,
            terms,
            endorse: (binding) =>
              endorse({ tpm, binding, document: enrolment, enrolment: own.enrolment }),
          }
        : undefined,
    randomBytes,
    random: Math.random,
    renewMs,
    ttlMs,
    knowAllUpTo: config.epochs.knowAllUpTo,
    named: () => nodesNamed(inventory.services()),
    policyHash,
    limits: policy,
    ownAlgorithms: CHIPS.map(({ id }) => id),
    onAttested: (statement) => {
      reporting.attested(statement);
      snapshots.changed();
    },
    onChange: () => snapshots.changed(),
    told: () => snapshots.told(),
    isTold: () => opened.isTold(),
    directory: () => ({
      lane: { address: config.lanes.address, port: config.lanes.port },
      pods: captures.announced(),
    }),
  });
  stack.defer(() => epochs.forget());
  const { plane, attestor, membership } = epochs;

  // Data plane
  const laneEvents = new LaneEvents(log);
  const memory = new ConnectionMemory();
  const aliases = new Aliases(node);
  stack.defer(() => aliases.close());
  const opened = await openDataPlane({
    runDir: config.paths.runDir,
    workers: config.lanes.workers,
    uid: config.lanes.uid,
    replay: { periodMs, maxPeriodMs: policy.periodMs.max },
    staleAfterMs: maxStalenessMs,
    makeSockets: (uid, family, count) => captures.makeSockets(uid, family, count),
    onEvent: (event, dropped) => {
      laneEvents.take(event, dropped);
      memory.note(event);
    },
    onWhereIs: (address) => plane.whereIs(address),
    onUsing: (peers) => plane.using(peers),
    clock,
    log,
  });
  const { plane: dataPlane, counters, listeners: before } = opened;
  stack.defer(() => before?.close());
  const captures: Captures = new Captures({
    inventory,
    plaintext: config.lanes,
    sourceAddress: config.lanes.sourceAddress,
    onStop: config.lanes.onStop,
    run,
    clock,
    log,
    listen: (role, fd) => dataPlane.listen(role, fd),
    unlisten: (role) => dataPlane.unlisten(role),
    before,
    onChange: () => {
      aliases.retain(inventory.pods());
      plane.directoryChanged();
      snapshots.changed();
    },
  });
  stack.defer(() => captures.forget());
  stack.defer(() => opened.close(DRAIN_MS));
  const laneFd = await openLaneListener(config.lanes.address, config.lanes.port, before);
  stack.defer(() => closeListener(laneFd));
  const sources: SnapshotSources = {
    ...epochs,
    config,
    aliases,
    captures,
    inventory,
    policy: () => access.value(),
  };
  const succession = new Succession({
    inherits: () => opened.inherits(),
    failed: () => attestor.state.verdict === 'contraindicated',
    members: () => membership.members(),
    clock,
    periodMs,
  });
  const snapshots = new Snapshots({
    sources,
    slots,
    slot: () => epochs.slot(),
    clock,
    signal,
    members: () => membership.members(),
    publish: (snapshot) => {
      if (succession.admits(snapshot)) dataPlane.publish(snapshot);
    },
  });
  access.onChange(() => snapshots.changed());

  const probes = startProbes({
    enabled: config.probes.enabled,
    pods: () => probedPods(captures.pods()),
    inbound: probedInbound(config.lanes),
    run,
    clock,
    random: Math.random,
    log: (level, event, fields) => log[level](event, fields),
    signal,
  });
  stack.defer(() => probes.close());

  // Life
  const host = hostOf(signal);
  const health = new Health({
    healthAddress: config.api.healthAddress,
    status: () => statusOf(routed),
    isAdmitted: () => plane.admitted,
    totals: () => counters.totals(),
    eventsDropped: () => laneEvents.dropped,
    dataPlane,
    clock,
    log,
  });
  const routed: RouteSources = {
    ...sources,
    ...epochs,
    bus,
    lease,
    clock,
    inventory,
    policyProblem: () => access.problem(),
    startedAtMs,
    events,
    maxStalenessMs,
    renewMs,
    memory,
    reach,
    reporting,
    health,
    probes,
    problems: () => [
      inventory.problem(),
      access.problem(),
      bus.problem,
      lease.problem,
      attestor.state.error,
    ],
    host,
    counters: () => counters.totals(),
    dataPlane: () => dataPlane.status(),
    lanes: (max) => dataPlane.lanes(max),
  };
  const control = await serveControl(config.api.controlSocket, routesOf(routed));
  stack.use(control);
  dataPlane.listen({ kind: 'lane' }, laneFd);
  await captures.start();
  dataPlane.listenersNamed();
  before?.close();
  stack.defer(() => captures.close());
  await epochs.start();
  stack.defer(() => epochs.close());
  stack.use(health);
  await health.start();
  log.info('agent.ready', { text: `agent of ${node} runs` });
  if (!signal.aborted) await once(signal, 'abort');
  log.info('agent.stop', { text: `agent of ${node} stops` });
}
