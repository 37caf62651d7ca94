// A cluster on one machine: nodes and pods as network namespaces, a TPM per node, a real bus. Many
// rigs run side by side. A rig starts no agent by itself (agent.ts does) and never touches the
// namespace of the machine.
import { randomBytes } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync } from 'node:fs';
import type { RunOptions, RunResult } from '#agent/base/run.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { startBus, type Bus } from './bus.ts';
import { startCapture, type Capture } from './capture.ts';
import { makeCgroup } from './cgroup.ts';
import { openJournal } from './journal.ts';
import { RIG_PARENT, cgroupOf, removeRig, rigName } from './leftovers.ts';
import { requirePreflight } from './preflight.ts';
import { execIn, spawnIn, type Argv, type Place, type Program } from './program.ts';
import {
  createFabric,
  createNode,
  createPod,
  nodeAddress,
  nodeAddress6,
  podAddress,
  podAddress6,
} from './topology.ts';
import { prepareCa, startTpm, type RigCa, type RigTpm } from './tpm.ts';

export interface PodPlan {
  readonly name: string;
  /** Name of its node. */
  readonly node: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface RigOptions {
  readonly nodes: readonly string[];
  readonly pods: readonly PodPlan[];
  /** Whose agents the bus is for; `test` by default. */
  readonly cluster?: string;
  /** nats-servers; one by default. */
  readonly busServers?: 1 | 3;
  /** PCR banks that the TPMs have active. */
  readonly banks?: readonly HashName[];
  /** Nodes and pods have IPv6 addresses too, and lanes between nodes go by them. */
  readonly ipv6?: boolean;
  /** Told what is being made, one line a step. */
  readonly log?: (line: string) => void;
}

export interface RigNode {
  readonly name: string;
  readonly address: string;
  readonly address6?: string;
  readonly place: Place;
  readonly dir: string;
  readonly tpm: RigTpm;
}

export interface RigPod extends PodPlan {
  readonly uid: string;
  readonly address: string;
  readonly address6?: string;
  readonly place: Place;
  readonly dir: string;
}

export interface SpawnOptions {
  readonly name: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

export interface Rig extends AsyncDisposable {
  readonly id: string;
  /** All files of the rig; removed with it. */
  readonly dir: string;
  readonly nodes: readonly RigNode[];
  readonly pods: readonly RigPod[];
  readonly bus: Bus;
  /** The name of the cluster that the bus is for. */
  readonly cluster: string;
  readonly ca: RigCa;
  /** Errors: RangeError for a name that was not planned. */
  node(name: string): RigNode;
  pod(name: string): RigPod;
  /** Starts a program where a node or pod lives; its log goes to `<dir>/<name>.log` there. */
  spawn(where: RigNode | RigPod, argv: Argv, options: SpawnOptions): Program;
  exec(where: RigNode | RigPod, argv: Argv, options?: RunOptions): Promise<RunResult>;
  capture(name: string): Promise<Capture>;
  /** Ends and removes everything; the second call waits for the first. Errors: RIG_REMOVE. */
  close(): Promise<void>;
}

/**
 * Builds a rig; on failure nothing of it stays.
 * Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, and those of `run`.
 */
export async function createRig(options: RigOptions): Promise<Rig> {
  await requirePreflight();
  const id = randomBytes(4).toString('hex');
  const dir = `${RIG_PARENT}/${rigName(id)}`;
  const journal = openJournal({ id, dir, cgroup: cgroupOf(id) });
  try {
    mkdirSync(dir, { mode: 0o700 });
    makeCgroup(journal.cgroup);
    const parts = await build(id, dir, options);
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      if (!closing) leaveLogs(id, dir);
      return (closing ??= removeRig(journal, 5000));
    };
    return { id, dir, ...parts, close, [Symbol.asyncDispose]: close };
  } catch (thrown) {
    await removeRig(journal, 0);
    throw thrown;
  }
}

/** Every log is copied to the directory `HWTEST_LOGS`, where there is one, to be read when the rig is gone. */
function leaveLogs(id: string, dir: string): void {
  const logs = process.env['HWTEST_LOGS'];
  if (logs === undefined) return;
  const isOfLogs = (path: string): boolean =>
    (lstatSync(path).isDirectory() && !path.startsWith(`${dir}/ns`)) || path.endsWith('.log');
  cpSync(dir, `${logs}/${rigName(id)}`, { recursive: true, filter: isOfLogs });
}

type Parts = Omit<Rig, 'id' | 'dir' | 'close' | typeof Symbol.asyncDispose>;

async function build(id: string, dir: string, options: RigOptions): Promise<Parts> {
  const { nodes: names, pods: plans, banks = ['sha1', 'sha256'], ipv6 = false } = options;
  const { cluster = 'test', busServers = 1, log = () => undefined } = options;
  const netnsDir = makeDir(`${dir}/ns`);
  log(`network of ${names.length} nodes and ${plans.length} pods`);
  const fabric = await createFabric(netnsDir, ipv6);
  const place = (netns: Place['netns'], cgroup: string): Place => ({
    netns,
    cgroup: makeCgroup(`${cgroupOf(id)}/${cgroup}`),
    rigId: id,
  });

  log('nats-server with JetStream');
  const bus = await startBus(place(fabric.bus, 'bus'), `${dir}/bus`, {
    cluster,
    nodes: names,
    servers: busServers,
  });

  const ca = prepareCa(makeDir(`${dir}/ca`));
  const nodes: RigNode[] = [];
  for (const [i, name] of names.entries()) {
    log(`node ${name} with its TPM`);
    const netns = await createNode(fabric, name, i + 1, names.length);
    const nodePlace = place(netns, `node-${name}`);
    const nodeDir = makeDir(`${dir}/${name}`);
    // One after the other: the first makes the keys of the certificate authority.
    const tpm = await startTpm(nodePlace, makeDir(`${nodeDir}/tpm`), name, ca, banks);
    nodes.push({
      name,
      address: nodeAddress(i + 1),
      ...(ipv6 && { address6: nodeAddress6(i + 1) }),
      place: nodePlace,
      dir: nodeDir,
      tpm,
    });
  }

  const node = finder('node', nodes);
  const pods: RigPod[] = [];
  for (const plan of plans) {
    const owner = node(plan.node);
    const nodeIndex = nodes.indexOf(owner) + 1;
    const podIndex = pods.filter((pod) => pod.node === plan.node).length + 1;
    const netns = await createPod(fabric, plan.name, owner.place.netns, nodeIndex, podIndex);
    pods.push({
      ...plan,
      uid: `${id}-${plan.name}`,
      address: podAddress(nodeIndex, podIndex),
      ...(ipv6 && { address6: podAddress6(nodeIndex, podIndex) }),
      place: place(netns, `node-${plan.node}/pod-${plan.name}`),
      dir: makeDir(`${owner.dir}/${plan.name}`),
    });
  }

  return {
    nodes,
    pods,
    bus,
    cluster,
    ca,
    node,
    pod: finder('pod', pods),
    spawn: (where, argv, spawnOptions) =>
      spawnIn(where.place, argv, {
        ...spawnOptions,
        logFile: `${where.dir}/${spawnOptions.name}.log`,
      }),
    exec: (where, argv, execOptions) => execIn(where.place, argv, execOptions),
    capture: (name) => startCapture(place(fabric.switch, 'capture'), dir, name),
  };
}

function makeDir(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

const finder =
  <T extends { readonly name: string }>(kind: string, all: readonly T[]) =>
  (name: string): T => {
    const found = all.find((each) => each.name === name);
    if (found === undefined) throw new RangeError(`this rig has no ${kind} ${name}`);
    return found;
  };
