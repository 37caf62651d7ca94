// The tidelock side of a rig: owner keys, enrolments, configurations, and the agents themselves, all
// by the verbs that a user has. The rig below it works without any of this.
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { askAgent } from '#agent/api/client.ts';
import { statusSchema, type Status } from '#agent/api/status.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import type { ServiceAccessPolicy } from '#agent/policy/schema.ts';
import { logTail, type Argv, type Program } from './program.ts';
import type { Rig, RigNode } from './rig.ts';
import { WITH_TRACEFS } from './tracefs.ts';

/** A section of the agent's configuration, laid over that of the cluster. */
export type Overrides = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface ClusterOptions {
  readonly domain: string;
  readonly policies: readonly ServiceAccessPolicy[];
  readonly overrides?: Overrides;
  /** How the `tidelock` program is called; without it, that of this checkout. */
  readonly program?: Argv;
}

export interface RigAgent {
  readonly node: RigNode;
  readonly program: Program;
  /** Errors: AGENT_UNREACHABLE, AGENT_ANSWER_INVALID. */
  status(): Promise<Status>;
  /**
   * Has the agent sign an attestation report, as `<dir>/<node>.json` and as a page beside it. Errors:
   * those of `run`.
   */
  writeReport(dir: string): Promise<string>;
  /**
   * The first status that `judge` calls true, asked for every 100 ms; it may say instead what is missing.
   * Errors: RIG_PROGRAM when the agent ends, or after `timeoutMs`; names `what` was waited for.
   */
  until(
    what: string,
    judge: (status: Status) => boolean | string,
    timeoutMs: number,
  ): Promise<Status>;
}

export interface Cluster {
  /** Public half of the owner key. */
  readonly ownerFile: string;
  /** Writes a node's configuration and inventory, and enrols its TPM. Again only once its enrolment is gone. */
  enrol(node: RigNode): Promise<void>;
  /** Has the owner say a word about a node, `revoke` or `quarantine`, by the agent that runs at `at`; what it printed. */
  ownerSays(
    at: RigNode,
    ...word: readonly [verb: string, node: string, ...flags: string[]]
  ): Promise<string>;
  /** Starts the agent of an enrolled node inside its namespace; `program`: another build than the rest. */
  startAgent(node: RigNode, overrides?: Overrides, program?: Argv): RigAgent;
}

const CHECKOUT: Argv = [process.execPath, `${import.meta.dirname}/../../agent/main.ts`];

/** Makes the owner keys and the policies that all nodes of the rig share. Errors: those of `run`. */
export async function createCluster(rig: Rig, options: ClusterOptions): Promise<Cluster> {
  const ownerDir = `${rig.dir}/owner`;
  const policyDir = `${rig.dir}/policies`;
  mkdirSync(policyDir, { mode: 0o700 });
  for (const policy of options.policies) {
    writeFileSync(`${policyDir}/${policy.metadata.name}.json`, JSON.stringify(policy));
  }
  const { cluster } = rig;
  const { domain, program: tidelock = CHECKOUT } = options;
  await run([...tidelock, 'init', '--domain', domain, '--cluster', cluster, '--out', ownerDir]);

  const configure = (node: RigNode, overrides: Overrides): string => {
    const inventory = `${node.dir}/inventory.json`;
    writeFileSync(inventory, JSON.stringify({ pods: podsOf(rig, node) }));
    const base = baseConfig(rig, node, { ownerDir, policyDir, inventory, domain, cluster });
    const file = configFileOf(node);
    const merged = overlay(overlay(base, options.overrides ?? {}), overrides);
    writeFileSync(file, JSON.stringify(merged, undefined, 2), { mode: 0o600 });
    return file;
  };
  return {
    ownerFile: `${ownerDir}/owner.pub`,
    enrol: async (node) => {
      const config = configure(node, {});
      await run([...tidelock, 'enroll', '--config', config, '--owner', `${ownerDir}/owner.key`]);
    },
    ownerSays: async (at, ...word) => {
      const by = ['--config', configFileOf(at), '--owner', `${ownerDir}/owner.key`];
      const { stdout } = await run([...tidelock, ...word, ...by]);
      return stdout.toString();
    },
    startAgent: (node, overrides = {}, build = tidelock) => {
      const agent: Argv = [...build, 'agent', 'run', '--config', configure(node, overrides)];
      const argv: Argv = [...WITH_TRACEFS, ...agent];
      const program = rig.spawn(node, argv, { name: 'agent' });
      return agentOf(node, program, build);
    },
  };
}

function agentOf(node: RigNode, program: Program, tidelock: Argv): RigAgent {
  const status = async (): Promise<Status> =>
    statusSchema.parse(await askAgent(controlSocketOf(node), '/status'));
  return {
    node,
    program,
    status,
    writeReport: async (dir) => {
      const at = ['--run-dir', runDirOf(node), '--node', node.name];
      const report: Argv = [...tidelock, 'report', ...at];
      const file = `${dir}/${node.name}.json`;
      await run([...report, '--out', file]);
      await run([...report, '--html', '--out', `${dir}/${node.name}.html`]);
      return file;
    },
    until: async (what, judge, timeoutMs) => {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const now = await status().catch(() => undefined); // not listening yet
        const verdict = now !== undefined && judge(now);
        if (now !== undefined && verdict === true) return now;
        if (!program.running()) throw agentError(node, program, what, 'it ended');
        if (performance.now() > deadline) {
          const missing = verdict === false ? '' : `: ${verdict}`;
          throw agentError(node, program, what, `not after ${timeoutMs} ms${missing}`);
        }
        await pause(100);
      }
    },
  };
}

const agentError = (node: RigNode, program: Program, what: string, state: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'rig.agent',
    message: `Cannot bring the agent of ${node.name} to ${what}: ${state}`,
    hint: `Its log says: ${logTail(program.logFile)}`,
  });

const runDirOf = (node: RigNode): string => `${node.dir}/run`;

/** Where the agent of a node listens for its verbs. */
export const controlSocketOf = (node: RigNode): string => `${runDirOf(node)}/control.sock`;

/** The configuration of a node's agent, once it is enrolled. */
export const configFileOf = (node: RigNode): string => `${node.dir}/config.json`;

const podsOf = (rig: Rig, node: RigNode): object[] =>
  rig.pods
    .filter((pod) => pod.node === node.name)
    .map(({ uid, name, namespace, serviceAccount, address, address6, place }) => ({
      uid,
      name,
      namespace,
      serviceAccount,
      ips: [address, ...(address6 === undefined ? [] : [address6])],
      netns: place.netns.path,
    }));

interface Shared {
  readonly ownerDir: string;
  readonly policyDir: string;
  readonly inventory: string;
  readonly domain: string;
  readonly cluster: string;
}

const baseConfig = (rig: Rig, node: RigNode, shared: Shared): Record<string, unknown> => ({
  domain: shared.domain,
  cluster: shared.cluster,
  node: node.name,
  owners: [`${shared.ownerDir}/owner.pub`],
  bus: {
    servers: rig.bus.urls,
    replicas: rig.bus.servers.length,
    credentialsFile: rig.bus.credentialsFile(node.name),
    tls: { caFile: rig.bus.caFile },
  },
  tpm: { tcti: node.tpm.tcti, eventLog: node.tpm.eventLog },
  attestation: {
    ekRoots: rig.ca.rootsDir,
    policyFile: `${shared.ownerDir}/attestation-policy.json`,
  },
  lanes: { address: node.address6 ?? node.address },
  policy: { files: [shared.policyDir] },
  inventory: { file: shared.inventory },
  paths: { stateDir: `${node.dir}/state`, runDir: runDirOf(node) },
});

function overlay(base: Record<string, unknown>, over: Overrides): Record<string, unknown> {
  const sections = Object.entries(over).map(([section, fields]) => [
    section,
    { ...(base[section] as object | undefined), ...fields },
  ]);
  return { ...base, ...(Object.fromEntries(sections) as Record<string, unknown>) };
}
