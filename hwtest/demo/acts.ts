// The acts of the demo in their order: servers, the control run, the agents, the main run. It is given
// a rig and leaves its removal to who made it.
import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '#agent/api/status.ts';
import { run } from '#agent/base/run.ts';
import type { Capture } from '#hwtest/rig/capture.ts';
import { controlSocketOf, createCluster, type RigAgent } from '#hwtest/rig/cluster.ts';
import type { CaptureSearch } from '#hwtest/rig/pcap.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { refuseWhenEnded, unlessEnded } from './interrupt.ts';
import { exchangeCanaries, startLoad, type Traffic } from './load.ts';
import {
  DOMAIN,
  NODES,
  PERIOD_MS,
  POLICY,
  RENEW_SECONDS,
  drawCanaries,
  type Canaries,
} from './plan.ts';
import type { Reports } from './reports.ts';
import type { Observed } from './result.ts';
import { createView, type Frame, type Screen } from './view.ts';

/** What an act may use besides the rig. */
export interface Stage {
  readonly reports: Reports;
  readonly screen: Screen;
  /** Writes one line of progress to the screen. */
  readonly say: (line: string) => void;
  /** Length of the main run; without it, until `ended`. */
  readonly forMs: number | undefined;
  readonly ended: AbortSignal;
}

/** How long agents may take from their start until lanes can be opened. */
const READY_MS = 60_000;
const VIEW_EVERY_MS = 1_000;

/** Everything that happens in the rig. Errors: RIG_PROGRAM, DEMO_INTERRUPTED, those of `run`. */
export async function perform(rig: Rig, stage: Stage): Promise<Omit<Observed, 'leftovers'>> {
  const canaries = drawCanaries();
  await startServers(rig, canaries, stage);
  const control = await controlRun(rig, canaries, stage);
  const agents = await startAgents(rig, stage);
  try {
    stage.say('main run: the same programs, now through the agents');
    const capture = await rig.capture('main');
    const traffic = await showLoad(rig, canaries, agents, stage);
    stage.reports.failed(traffic.failed);
    stage.say('looking for the canaries in what crossed between the nodes');
    const wire = await searched(capture, canaries);
    const statuses = await Promise.all(agents.map((agent) => agent.status()));
    for (const status of statuses) stage.reports.status(status);
    stage.say('having the agents sign their attestation reports');
    const files = await Promise.all(agents.map((agent) => agent.writeReport(stage.reports.dir)));
    const nodes = statuses.map((status, i) => ({ status, report: files[i] ?? '' }));
    return { nodes, traffic, control, wire, busServer: await busServer() };
  } finally {
    await Promise.all(agents.map(({ program }) => program.stop()));
  }
}

async function startServers(rig: Rig, canaries: Canaries, { say, ended }: Stage): Promise<void> {
  say('starting nginx and redis-server in the pods');
  for (const pod of rig.pods) {
    const dir = `${pod.dir}/server`;
    if (pod.serviceAccount === 'web') {
      await startNginx(pod.place, dir, canaries.get(pod.name) ?? '');
    } else if (pod.serviceAccount === 'cache') await startRedis(pod.place, dir);
    refuseWhenEnded(ended);
  }
}

/** Without agents, and so without any redirect, the capture must find what it will look for later. */
async function controlRun(
  rig: Rig,
  canaries: Canaries,
  { say, ended }: Stage,
): Promise<CaptureSearch> {
  say('control run: no agent, no redirect; the capture must find the canaries');
  const capture = await rig.capture('control');
  const failures = await exchangeCanaries(rig, canaries);
  const found = await searched(capture, canaries);
  say(`  ${found.hits} canaries seen in ${found.packets} packets, ${failures} requests failed`);
  refuseWhenEnded(ended);
  return found;
}

async function startAgents(rig: Rig, stage: Stage): Promise<readonly RigAgent[]> {
  const { say, ended } = stage;
  say('tidelock init: owner keys, once per cluster');
  const cluster = await createCluster(rig, {
    domain: DOMAIN,
    policies: [POLICY],
    overrides: {
      epochs: { periodMs: PERIOD_MS },
      attestation: { renewSeconds: RENEW_SECONDS },
    },
  });
  for (const node of rig.nodes) {
    say(`tidelock enroll: the TPM of ${node.name}, once per node`);
    await cluster.enrol(node);
    refuseWhenEnded(ended);
  }
  stage.reports.trust(cluster.ownerFile, rig.ca.rootsDir);
  say('starting the agents');
  const agents = rig.nodes.map((node) => cluster.startAgent(node));
  for (const agent of agents) {
    const ready = agent.until('open lanes', carriesLanes, READY_MS);
    const status = await unlessEnded(ready, ended);
    say(`  ${agent.node.name} is ${status.node.verdict} and in step with its peers`);
    say(`    tidelock status --socket ${controlSocketOf(agent.node)}`);
  }
  return agents;
}

/** Attested, every pod captured, a data plane, and a confirmed chain to every peer; or what of it is missing. */
function carriesLanes({ node, pods, peers, dataPlane }: Status): true | string {
  if (node.verdict !== 'affirming') return `it is ${node.verdict}: ${node.reason}`;
  if (dataPlane.state !== 'running') return `its data plane is ${dataPlane.state}`;
  const free = pods.find((pod) => !pod.captured);
  if (free !== undefined) return `pod ${free.name} is not captured: ${free.error ?? 'not yet'}`;
  if (peers.length < NODES.length - 1) return 'it knows no peer';
  const apart = peers.find((peer) => peer.sendChain === undefined);
  return apart === undefined || `${apart.node} is ${apart.verdict}: ${apart.refused ?? ''}`;
}

async function showLoad(
  rig: Rig,
  canaries: Canaries,
  agents: readonly RigAgent[],
  { screen, forMs, ended }: Stage,
): Promise<Traffic> {
  const view = createView(screen);
  const load = startLoad(rig, canaries);
  const startedMs = performance.now();
  try {
    for (;;) {
      const elapsedMs = performance.now() - startedMs;
      view.draw({ elapsedMs, nodes: await askAll(agents), traffic: load.traffic });
      const leftMs = forMs === undefined ? Infinity : forMs - elapsedMs;
      if (ended.aborted || leftMs <= 0) break;
      const waitMs = Math.min(VIEW_EVERY_MS, leftMs);
      await pause(waitMs, undefined, { signal: ended }).catch(() => undefined);
    }
  } finally {
    await load.stop();
  }
  return load.traffic;
}

const askAll = (agents: readonly RigAgent[]): Promise<Frame['nodes']> =>
  Promise.all(
    agents.map(async (agent) => ({
      name: agent.node.name,
      status: await agent.status().catch(() => undefined), // the view says "silent"
    })),
  );

async function searched(
  capture: Capture,
  canaries: Canaries,
): Promise<CaptureSearch & { readonly dropped: number }> {
  const { dropped } = await capture.stop();
  return { ...(await capture.search([...canaries.values()])), dropped };
}

const busServer = async (): Promise<string> =>
  (await run(['nats-server', '--version'])).stdout.toString().trim().replace(': v', ' ');
