// The process that keeps a rig for a pipeline: it builds it, enrols its nodes, runs their agents, says
// in the state what there is, and removes everything when it is told to end. It belongs to no step of
// the pipeline, so none takes it along when it ends.
import { asTidelockError } from '#agent/base/errors.ts';
import { configFileOf, controlSocketOf, createCluster } from '#hwtest/rig/cluster.ts';
import { processOf } from '#hwtest/rig/owner.ts';
import { createRig, type Rig } from '#hwtest/rig/rig.ts';
import { isInStep } from '#hwtest/suites/twoNodes.ts';
import { CLUSTER, DOMAIN, NODES, readPlan, type Plan } from './plan.ts';
import { removeState, writeState, type Facts, type State } from './state.ts';

const IN_STEP_PERIODS = 12;

const [name = '', planFile] = process.argv.slice(2);
const keeper = processOf(process.pid);
if (keeper === undefined) throw new Error('/proc does not show this process');
const tell = (state: Omit<State, 'keeper'>): void => writeState(name, { keeper, ...state });

let rig: Rig | undefined;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end());
process.on('SIGHUP', () => undefined); // the terminal it was started from is not its own

tell({ phase: 'building' });
try {
  const plan = readPlan(planFile);
  rig = await createRig({ cluster: CLUSTER, nodes: NODES, pods: plan.pods, log: say });
  await startAgents(rig, plan);
  tell({ phase: 'up', facts: factsOf(rig) });
} catch (thrown) {
  const { message, hint } = asTidelockError(thrown, 'ci.keep');
  tell({ phase: 'failed', problem: { message, hint } });
  await rig?.close();
  process.exitCode = 1;
}

/** Ends here also in the middle of building: what there is then is found by its journal. */
async function end(): Promise<never> {
  await rig?.close();
  if (rig !== undefined) removeState(name);
  process.exit(0);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function startAgents(built: Rig, { policies, periodMs }: Plan): Promise<void> {
  const overrides = { epochs: { periodMs } };
  const cluster = await createCluster(built, {
    domain: DOMAIN,
    policies,
    overrides,
  });
  for (const node of built.nodes) {
    say(`enrolling ${node.name}`);
    await cluster.enrol(node);
  }
  say('starting the agents');
  const agents = built.nodes.map((node) => cluster.startAgent(node));
  const timeoutMs = IN_STEP_PERIODS * periodMs;
  await Promise.all(agents.map((agent) => agent.until('in step', isInStep, timeoutMs)));
}

function factsOf({ id, dir, bus, ca, nodes, pods }: Rig): Facts {
  return {
    id,
    bus: { url: bus.urls.join(), ca: bus.caFile, credentials: bus.adminFile },
    owner: `${dir}/owner/owner.pub`,
    ekRoots: ca.rootsDir,
    nodes: nodes.map((node) => ({
      name: node.name,
      address: node.address,
      netns: node.place.netns.path,
      cgroup: node.place.cgroup,
      socket: controlSocketOf(node),
      config: configFileOf(node),
      tcti: node.tpm.tcti,
      eventLog: node.tpm.eventLog,
      log: `${node.dir}/agent.log`,
    })),
    pods: pods.map((pod) => ({
      name: pod.name,
      node: pod.node,
      address: pod.address,
      netns: pod.place.netns.path,
      cgroup: pod.place.cgroup,
    })),
  };
}
