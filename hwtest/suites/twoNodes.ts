// What the suites stand on: a rig of two nodes with their agents in step, and pods that talk. A suite
// says which pods it needs and how fast time goes; it ends the rig whatever happened.
import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '#agent/api/status.ts';
import type { RunResult } from '#agent/base/run.ts';
import type { ServiceAccessPolicy } from '#agent/policy/schema.ts';
import { createCluster, type Cluster, type Overrides, type RigAgent } from '#hwtest/rig/cluster.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import { startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { createRig, type PodPlan, type Rig, type RigPod } from '#hwtest/rig/rig.ts';

export const NODES = ['node-a', 'node-b'] as const;

export interface TwoNodesOptions {
  /** Others than these two, where a claim is about more. */
  readonly nodes?: readonly string[];
  readonly pods: readonly PodPlan[];
  readonly periodMs?: number;
  readonly renewSeconds?: number;
  /** Lanes between the nodes go by IPv6, and pods have addresses of both families. */
  readonly ipv6?: boolean;
  /** nats-servers; one by default. */
  readonly busServers?: 1 | 3;
  /** A cluster of up to so many nodes is known whole. */
  readonly knowAllUpTo?: number;
  /** Settings of `lanes` on both nodes. */
  readonly lanes?: Overrides[string];
  /** How the `tidelock` program is called; without it, that of this checkout. */
  readonly program?: Argv;
}

export interface TwoNodes extends AsyncDisposable {
  readonly rig: Rig;
  readonly cluster: Cluster;
  agent(node: string): RigAgent;
  /** The other agent than that of `node`. */
  other(node: string): RigAgent;
  /**
   * Starts the agent of a node anew, after its end, with `program` in another build; `agent()` is the new
   * one from then on.
   */
  startAgain(node: string, program?: Argv): RigAgent;
  /** Waits until every agent can open lanes to the other and has captured its pods. */
  inStep(): Promise<void>;
  exec(pod: string, argv: readonly [string, ...string[]], timeoutMs?: number): Promise<RunResult>;
}

export const DOMAIN = 'suite.tidelock';
export const CLUSTER = 'suite';
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** A pod of the default namespace; `client` pods may talk to `server` pods, nobody else to anybody. */
export const pod = (name: string, node: string, serviceAccount: string): PodPlan => ({
  name,
  node,
  namespace: 'default',
  serviceAccount,
});

const identity = (account: string): string => `spiffe://${DOMAIN}/${CLUSTER}/default/${account}`;

/** Pods of `client` may talk to those of `server`, nobody else to anybody. */
export const CLIENTS_MAY: ServiceAccessPolicy = {
  apiVersion: 'tidelock/v1',
  kind: 'ServiceAccessPolicy',
  metadata: { name: 'suite' },
  spec: {
    defaultAction: 'DENY',
    rules: [
      {
        name: 'clients',
        from: { spiffe: identity('client') },
        to: [{ spiffe: identity('server') }],
      },
    ],
  },
};

/** Builds the rig, enrols both nodes, starts both agents and waits until they are in step. */
export async function twoNodes(options: TwoNodesOptions): Promise<TwoNodes> {
  const { pods, periodMs = 5_000, renewSeconds = 600, ipv6 = false, lanes = {} } = options;
  const { busServers, knowAllUpTo, program } = options;
  const epochs = { periodMs, ...(knowAllUpTo !== undefined && { knowAllUpTo }) };
  const isThere = knowAllUpTo === 0 ? isWell : isInStep;
  const rig = await createRig({
    cluster: CLUSTER,
    nodes: options.nodes ?? NODES,
    pods,
    ipv6,
    ...(busServers && { busServers }),
  });
  try {
    const cluster = await createCluster(rig, {
      domain: DOMAIN,
      policies: [CLIENTS_MAY],
      overrides: { epochs, attestation: { renewSeconds }, lanes },
      ...(program && { program }),
    });
    for (const node of rig.nodes) await cluster.enrol(node);
    const agents = new Map(rig.nodes.map((node) => [node.name, cluster.startAgent(node)]));
    const agent = (name: string): RigAgent => {
      const found = agents.get(name);
      if (!found) throw new RangeError(`no agent on ${name}`);
      return found;
    };
    const both: TwoNodes = {
      rig,
      cluster,
      agent,
      other: (name) => agent(name === NODES[0] ? NODES[1] : NODES[0]),
      startAgain: (name, build) => {
        const again = cluster.startAgent(rig.node(name), {}, build);
        agents.set(name, again);
        return again;
      },
      inStep: async () => {
        const each = [...agents.values()];
        const areAll = async (): Promise<boolean> =>
          (await Promise.all(each.map((one) => one.status()))).every(isThere);
        // One may learn a moment later that the other has started anew: all at one look.
        do await Promise.all(each.map((one) => one.until('in step', isThere, 12 * periodMs)));
        while (!(await areAll()));
      },
      exec: (name, argv, timeoutMs = 30_000) =>
        rig.exec(rig.pod(name), argv, { okCodes: ANY_CODE, timeoutMs }),
      [Symbol.asyncDispose]: () => rig.close(),
    };
    await both.inStep();
    return both;
  } catch (thrown) {
    await rig.close();
    throw thrown;
  }
}

/** Two pairs of pods across the nodes: nginx in both server pods, redis in the first. */
export async function twoServedPairs(periodMs: number): Promise<TwoNodes> {
  const both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('client-2', 'node-a', 'client'),
      pod('server', 'node-b', 'server'),
      pod('server-2', 'node-b', 'server'),
    ],
    periodMs,
  });
  try {
    for (const name of ['server', 'server-2']) {
      const { place, dir } = both.rig.pod(name);
      await startNginx(place, dir, `canary of ${name}`);
    }
    const { place, dir } = both.rig.pod('server');
    await startRedis(place, dir);
    return both;
  } catch (thrown) {
    await both.rig.close();
    throw thrown;
  }
}

export const isInStep = (status: Status): boolean => isWell(status) && status.peers.length > 0;

/** It can open lanes to every peer that it follows, whether it follows any or not. */
const isWell = (status: Status): boolean =>
  status.node.verdict === 'affirming' &&
  status.node.reason === '' &&
  status.dataPlane.state === 'running' &&
  status.pods.every(({ captured }) => captured) &&
  status.peers.every(({ sendChain }) => sendChain !== undefined);

/** `check` every 100 ms until it gives a value. Errors: RangeError naming `what` after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined>,
  timeoutMs: number,
): Promise<{ readonly value: T; readonly afterMs: number }> {
  const startedMs = performance.now();
  for (;;) {
    const value = await check();
    const afterMs = performance.now() - startedMs;
    if (value !== undefined) return { value, afterMs };
    if (afterMs > timeoutMs) throw new RangeError(`not within ${timeoutMs} ms: ${what}`);
    await pause(100);
  }
}

/** Loads `path` from a server pod with curl, which waits five seconds where nothing else is said. */
export const fetchFrom = (
  both: TwoNodes,
  client: string,
  server: RigPod,
  path = '/canary',
  seconds = 5,
): Promise<RunResult> => {
  const url = `http://${server.address}:8080${path}`;
  const argv = ['curl', '-sS', '--max-time', String(seconds), url] as const;
  return both.exec(client, argv, (seconds + 25) * 1000);
};

/** Deadlines are asserted at this many times what the product promises; the figure itself is printed. */
export const SLACK = 5;

/** A measured figure, printed where a person running the suite sees it. */
export const report = (figure: string): void => {
  process.stderr.write(`    measured: ${figure}\n`);
};
