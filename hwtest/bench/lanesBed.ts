// Lanes to measure: two agents in a rig of their own, with the cipher, the period and the checkout that a
// plan names. Both pods are captured; the rig goes with the bed.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { askAgent } from '#agent/api/client.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { readPolicy, signPolicy } from '#attest/policy.ts';
import { CHIPS, type AeadName } from '#proxy/chips/registry.ts';
import { controlSocketOf, createCluster, type RigAgent } from '#hwtest/rig/cluster.ts';
import { waitFor, type Argv } from '#hwtest/rig/program.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { BULK_PORT, ECHO_PORT, makePairs, type Pair } from './pair.ts';
import { treeOf } from './processes.ts';
import type { Subject } from './subject.ts';

export interface LanesPlan {
  readonly name: string;
  readonly label: string;
  readonly kind: 'lanes' | 'variant';
  /** The only cipher that epochs draw. */
  readonly aead: AeadName;
  /** Length of a slot. */
  readonly periodMs: number;
  /** How `tidelock` is called, where it is that of another checkout. */
  readonly program?: Argv;
}

export interface LanesOptions {
  /** Threads of each data plane. */
  readonly workers: number;
  /** Whether the agents watch the kernel: every packet of the machine, so that all subjects pay. */
  readonly probes: boolean;
  readonly log: (line: string) => void;
}

const DOMAIN = 'bench.tidelock';
const CLUSTER = 'bench';
const IN_STEP_MS = 120_000;
const ASK_EVERY_MS = 100;

/** What is needed of `GET /status`, and no more: the agent may be of another checkout. */
const statusSchema = z.object({
  node: z.object({ verdict: z.string() }),
  dataPlane: z.object({ state: z.string(), pid: z.number().optional() }),
  pods: z.array(z.object({ captured: z.boolean() })),
  peers: z.array(z.object({ sendChain: z.string().optional() })),
  epochs: z.object({ slotsSeen: z.number() }),
});
type Seen = z.infer<typeof statusSchema>;

/** Builds the rig and starts the agents. Errors: those of makePairs; RIG_PROGRAM when out of step. */
export async function startLanes(plan: LanesPlan, options: LanesOptions): Promise<Subject> {
  const { rig, pairs } = await makePairs(['lane'], () => undefined, CLUSTER);
  try {
    options.log(`agents of ${plan.name}`);
    const started = await startAgents(rig, pairs.lane, plan, options);
    const inStep = async (): Promise<void> => {
      for (const agent of started) {
        const ready = async (): Promise<boolean> => {
          await pause(ASK_EVERY_MS);
          return isInStep(await seenBy(agent));
        };
        await waitFor(agent.program, 'step with its peer', ready, IN_STEP_MS);
      }
    };
    await inStep();
    const seen = await Promise.all(started.map(seenBy));
    const planes = seen.flatMap((each) => each?.dataPlane.pid ?? []);
    const agentPids = treeOf(started.map(({ program }) => program.pid));
    return {
      name: plan.name,
      label: plan.label,
      kind: plan.kind,
      rig,
      client: pairs.lane.client,
      address: pairs.lane.server.address,
      echoPort: ECHO_PORT,
      bulkPort: BULK_PORT,
      pids: planes,
      beside: agentPids.filter((pid) => !planes.includes(pid)),
      agents: { periodMs: plan.periodMs, inStep, slotsSeen: () => slotsSeenBy(started) },
    };
  } catch (thrown) {
    await rig.close();
    throw thrown;
  }
}

async function startAgents(
  rig: Rig,
  { client, server }: Pair,
  plan: LanesPlan,
  { workers, probes }: LanesOptions,
): Promise<readonly RigAgent[]> {
  const identity = (account: string): string => `spiffe://${DOMAIN}/${CLUSTER}/default/${account}`;
  const rule = {
    name: 'clients',
    from: { spiffe: identity(client.serviceAccount) },
    to: [{ spiffe: identity(server.serviceAccount) }],
  };
  const cluster = await createCluster(rig, {
    domain: DOMAIN,
    policies: [
      {
        apiVersion: 'tidelock/v1',
        kind: 'ServiceAccessPolicy',
        metadata: { name: 'bench' },
        spec: { defaultAction: 'DENY', rules: [rule] },
      },
    ],
    overrides: {
      lanes: { workers },
      probes: { enabled: probes },
      epochs: { periodMs: plan.periodMs },
    },
    ...(plan.program && { program: plan.program }),
  });
  await allowOneCipher(`${rig.dir}/owner`, plan.aead);
  for (const node of rig.nodes) await cluster.enrol(node);
  return rig.nodes.map((node) => cluster.startAgent(node));
}

/**
 * Signs the policy of the cluster anew with the algorithms of one AEAD: by default epochs draw
 * ChaCha20-Poly1305 too, and a median over both would be of neither.
 */
async function allowOneCipher(ownerDir: string, only: AeadName): Promise<void> {
  const owner = await readOwnerKey(`${ownerDir}/owner.key`);
  const file = `${ownerDir}/attestation-policy.json`;
  const policy = readPolicy(JSON.parse(readFileSync(file, 'utf8')), [owner.public]);
  const algorithms = CHIPS.filter(({ aead }) => aead === only).map(({ id }) => id);
  writeFileSync(file, JSON.stringify(signPolicy({ ...policy, algorithms }, owner)));
}

/** Undefined while the agent does not answer. */
const seenBy = ({ node }: RigAgent): Promise<Seen | undefined> =>
  askAgent(controlSocketOf(node), '/status').then(
    (document) => statusSchema.parse(document),
    () => undefined,
  );

const isInStep = (seen: Seen | undefined): boolean =>
  seen !== undefined &&
  seen.node.verdict === 'affirming' &&
  seen.dataPlane.state === 'running' &&
  seen.pods.length > 0 &&
  seen.pods.every(({ captured }) => captured) &&
  seen.peers.length > 0 &&
  seen.peers.every(({ sendChain }) => sendChain !== undefined);

async function slotsSeenBy(agents: readonly RigAgent[]): Promise<number> {
  const seen = await Promise.all(agents.map(seenBy));
  return Math.max(...seen.map((each) => each?.epochs.slotsSeen ?? 0));
}
