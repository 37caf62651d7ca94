// `tidelock demo`: a two-node cluster on one machine, end to end. It builds the rig, proves that a
// capture would find plain text, starts the agents, lets real programs talk, and tells what held.
// Everything it makes is gone when it returns, but for the reports.
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '#agent/api/status.ts';
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import type { Capture } from '#hwtest/rig/capture.ts';
import { createCluster, type RigAgent } from '#hwtest/rig/cluster.ts';
import { cleanLeftovers, leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import type { CaptureSearch } from '#hwtest/rig/pcap.ts';
import { createRig, type Rig } from '#hwtest/rig/rig.ts';
import { startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { endWithLauncher } from './launcher.ts';
import { exchangeCanaries, startLoad, type Traffic } from './load.ts';
import {
  CLUSTER,
  DOMAIN,
  NODES,
  PERIOD_MS,
  PODS,
  POLICY,
  RENEW_SECONDS,
  drawCanaries,
  type Canaries,
} from './plan.ts';
import { demoResult, type DemoResult } from './result.ts';
import { createView, type Screen } from './view.ts';

export interface DemoOptions {
  /** Ends by itself after so long; without it, on `stop`. */
  readonly forMs: number | undefined;
  /** Where the reports go; absolute. */
  readonly outDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Progress and the live view. */
  readonly screen: Screen;
  readonly stop: AbortSignal;
}

/** How long everything between two starts and ready may take, each. */
const READY_MS = 60_000;
const VIEW_EVERY_MS = 1_000;
const RESULT_FILE = 'result.json';
/** Only there when a request failed. */
const FAILED_FILE = 'failed.txt';

/**
 * Runs the demo to its end.
 * Errors: RIG_PREREQUISITE, RIG_PROGRAM, FILE_UNWRITABLE, DEMO_INTERRUPTED before there is a result.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const say = (line: string): void => options.screen.write(`${line}\n`);
  const ending = new AbortController();
  options.stop.addEventListener('abort', () => ending.abort(), { once: true });
  if (options.stop.aborted) ending.abort();
  const stopLooking = endWithLauncher(options.env, ending);
  try {
    prepareOutDir(options.outDir);
    for (const id of await cleanLeftovers()) say(`removed what an earlier demo left (${id})`);
    say('building two nodes on this machine');
    const rig = await createRig({
      nodes: NODES,
      pods: PODS,
      log: (line) => say(`  ${line}`),
    });
    const stage = { ...options, say, ended: ending.signal };
    const observed = await closing(rig, stage, () => perform(rig, stage));
    const result = demoResult({ ...observed, leftovers: totalOf(await leftovers(rig.id)) });
    writeFileSync(`${options.outDir}/${RESULT_FILE}`, `${JSON.stringify(result, undefined, 2)}\n`);
    return result;
  } finally {
    stopLooking();
  }
}

/** `tidelock demo --clean`: removes what killed demos left and counts what is still there. */
export async function cleanDemo(): Promise<{
  readonly removed: readonly string[];
  readonly leftovers: number;
}> {
  const removed = await cleanLeftovers();
  return { removed, leftovers: totalOf(await leftovers()) };
}

/** Exit code of a result: what was claimed and did not hold is "not verified". */
export const exitCodeOf = (result: DemoResult): ExitCode =>
  result.ok ? EXIT.ok : EXIT.notVerified;

interface Stage extends DemoOptions {
  readonly say: (line: string) => void;
  readonly ended: AbortSignal;
}

type Performance = Omit<Parameters<typeof demoResult>[0], 'leftovers'>;

/** Whatever `act` ends with: the agents' logs are kept as reports, all else is removed. */
async function closing<T>(rig: Rig, { say, outDir }: Stage, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } finally {
    say('removing everything');
    for (const { name, dir } of rig.nodes) {
      const log = `${dir}/agent.log`;
      if (existsSync(log)) copyFileSync(log, `${outDir}/${name}.log`);
    }
    await rig.close();
  }
}

async function perform(rig: Rig, stage: Stage): Promise<Performance> {
  const canaries = drawCanaries();
  await startServers(rig, canaries, stage);
  const control = await controlRun(rig, canaries, stage);
  const agents = await startAgents(rig, stage);
  try {
    stage.say('main run: the same programs, now through the agents');
    const capture = await rig.capture('main');
    const traffic = await showLoad(rig, canaries, agents, stage);
    if (traffic.failed.length > 0) {
      writeFileSync(`${stage.outDir}/${FAILED_FILE}`, `${traffic.failed.join('\n')}\n`);
    }
    stage.say('looking for the canaries in what crossed between the nodes');
    const wire = await searched(capture, canaries);
    const nodes = await Promise.all(agents.map((agent) => report(agent, stage.outDir)));
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
    cluster: CLUSTER,
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
  say('starting the agents');
  const agents = rig.nodes.map((node) => cluster.startAgent(node));
  for (const agent of agents) {
    const ready = agent.until('open lanes', carriesLanes, READY_MS);
    const status = await unlessEnded(ready, ended);
    say(`  ${agent.node.name} is ${status.node.verdict} and in step with its peers`);
  }
  return agents;
}

/** Attested, every pod captured, and a confirmed chain to every peer; or what of it is missing. */
function carriesLanes({ node, pods, peers }: Status): true | string {
  if (node.verdict !== 'affirming') return `it is ${node.verdict}: ${node.reason}`;
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
  for (;;) {
    const elapsedMs = performance.now() - startedMs;
    const nodes = await Promise.all(
      agents.map(async (agent) => ({
        name: agent.node.name,
        status: await agent.status().catch(() => undefined), // the view says "silent"
      })),
    );
    view.draw({ elapsedMs, nodes, traffic: load.traffic });
    const leftMs = forMs === undefined ? Infinity : forMs - elapsedMs;
    if (ended.aborted || leftMs <= 0) break;
    const waitMs = Math.min(VIEW_EVERY_MS, leftMs);
    await pause(waitMs, undefined, { signal: ended }).catch(() => undefined);
  }
  await load.stop();
  return load.traffic;
}

async function searched(
  capture: Capture,
  canaries: Canaries,
): Promise<CaptureSearch & { readonly dropped: number }> {
  const { dropped } = await capture.stop();
  return { ...(await capture.search([...canaries.values()])), dropped };
}

async function report(
  agent: RigAgent,
  outDir: string,
): Promise<{ readonly status: Status; readonly report: string }> {
  const status = await agent.status();
  const file = `${outDir}/${agent.node.name}.json`;
  writeFileSync(file, `${JSON.stringify(status, undefined, 2)}\n`);
  return { status, report: file };
}

const busServer = async (): Promise<string> =>
  (await run(['nats-server', '--version'])).stdout.toString().trim().replace(': v', ' ');

/** The directory exists and holds no report of an earlier demo, which could be taken for this one's. */
function prepareOutDir(outDir: string): void {
  try {
    if (!existsSync(outDir)) mkdirSync(outDir);
    const ofNodes = NODES.flatMap((node) => [`${node}.json`, `${node}.log`]);
    for (const name of [RESULT_FILE, FAILED_FILE, ...ofNodes]) {
      rmSync(`${outDir}/${name}`, { force: true });
    }
    accessSync(outDir, constants.W_OK);
  } catch (cause) {
    throw new TidelockError('FILE_UNWRITABLE', {
      op: 'demo.report',
      message: `Cannot use ${outDir} for the reports: ${messageOf(cause)}`,
      hint: 'Name a directory that can be written to with --out.',
      cause,
    });
  }
}

const interrupted = (): TidelockError =>
  new TidelockError('DEMO_INTERRUPTED', {
    op: 'demo.run',
    message: 'Cannot finish the demo: it was interrupted before there was a result',
    hint: 'Everything it had made was removed; run it again and wait for the live view.',
  });

function refuseWhenEnded(ended: AbortSignal): void {
  if (ended.aborted) throw interrupted();
}

const unlessEnded = <T>(work: Promise<T>, ended: AbortSignal): Promise<T> =>
  new Promise((resolvePromise, reject) => {
    const end = (): void => reject(interrupted());
    if (ended.aborted) end();
    ended.addEventListener('abort', end, { once: true });
    work.then(resolvePromise, reject).finally(() => ended.removeEventListener('abort', end));
  });
