// What is done to the cluster while programs talk, each until everything is as before. It knows the rig
// and the agents, and nothing of the programs.
import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '#agent/api/status.ts';
import { run } from '#agent/base/run.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import { BUS_ADDRESSES } from '#hwtest/rig/topology.ts';
import { eventually, NODES, type TwoNodes } from '#hwtest/suites/twoNodes.ts';
import type { Planned } from './schedule.ts';
import type { Act } from './windows.ts';

/** All that the acts need. */
export interface Theatre {
  readonly both: TwoNodes;
  /** The `tidelock` program in another build. */
  readonly otherBuild: Argv;
}

/** A hand-over takes the slots in which peers turn to the new control plane's statement. */
const BACK_WITHIN_MS = 120_000;
const CONDUCTS_WITHIN_MS = 120_000;
const OUTAGE_MS = 10_000;

/** Does what is planned and says from when until when. Errors: RangeError when something does not come back. */
export async function act(theatre: Theatre, planned: Planned): Promise<Act> {
  const from = Date.now();
  const { to, detail } = await perform(theatre, planned);
  await asBefore(theatre.both);
  return { kind: planned.kind, to, from, until: Date.now(), detail };
}

type Done = Pick<Act, 'to' | 'detail'>;

function perform(theatre: Theatre, planned: Planned): Promise<Done> {
  const { kind, node = NODES[0], forMs = OUTAGE_MS } = planned;
  switch (kind) {
    case 'worker-crash':
      return crashWorker(theatre, node);
    case 'data-plane-crash':
      return killDataPlane(theatre, node);
    case 'hand-over':
      return handOver(theatre, node);
    case 'bus-outage':
      return stopBus(theatre, forMs);
    case 'conductor-change':
      return isolateConductor(theatre);
  }
}

/** Works with a data plane of CRASHABLE alone, and so before the hand-over of its node. */
async function crashWorker({ both }: Theatre, node: string): Promise<Done> {
  const pid = await dataPlaneOf(both, node);
  process.kill(pid, 'SIGUSR2');
  const { afterMs } = await eventually(
    `a spare worker at work on ${node}`,
    async () => {
      const { dataPlane } = await both.agent(node).status();
      return dataPlane.spares === 0 && dataPlane.working === dataPlane.workers ? true : undefined;
    },
    BACK_WITHIN_MS,
  );
  return { to: node, detail: `a thread threw, a spare works after ${Math.round(afterMs)} ms` };
}

async function killDataPlane({ both }: Theatre, node: string): Promise<Done> {
  const pid = await dataPlaneOf(both, node);
  process.kill(pid, 'SIGKILL');
  const afterMs = await otherDataPlane(both, node, pid);
  return { to: node, detail: `kill -9, the next one runs after ${afterMs} ms` };
}

/** An upgrade: another build takes the node over; its data plane serves, the old one drains. */
async function handOver({ both, otherBuild }: Theatre, node: string): Promise<Done> {
  const pid = await dataPlaneOf(both, node);
  const { program } = both.agent(node);
  program.kill('SIGKILL');
  await program.ended;
  both.startAgain(node, otherBuild);
  const afterMs = await otherDataPlane(both, node, pid);
  return { to: node, detail: `another build's data plane serves after ${afterMs} ms` };
}

/** Its pid. */
async function dataPlaneOf(both: TwoNodes, node: string): Promise<number> {
  const { pid } = (await both.agent(node).status()).dataPlane;
  if (pid !== undefined && pid > 0) return pid;
  throw new RangeError(`no data plane runs on ${node}`);
}

async function otherDataPlane(both: TwoNodes, node: string, pid: number): Promise<number> {
  const { afterMs } = await eventually(
    `another data plane on ${node}`,
    async () => {
      const status = await both
        .agent(node)
        .status()
        .catch(() => undefined);
      const plane = status?.dataPlane;
      return plane?.state === 'running' && plane.pid !== pid ? plane.pid : undefined;
    },
    BACK_WITHIN_MS,
  );
  return Math.round(afterMs);
}

async function stopBus({ both }: Theatre, forMs: number): Promise<Done> {
  await both.rig.bus.kill();
  await pause(forMs);
  await both.rig.bus.start();
  return { to: 'bus', detail: `kill -9, gone for ${forMs} ms` };
}

/** Cut off from the bus, a conductor loses its lease to the other node and goes on as a member. */
async function isolateConductor({ both }: Theatre): Promise<Done> {
  const conductor = await conductorOf(both);
  const { netns } = both.rig.node(conductor).place;
  const blackhole = (verb: 'add' | 'del') =>
    run(['nsenter', `--net=${netns.path}`, 'ip', 'route', verb, 'blackhole', BUS_ADDRESSES[0]]);
  await blackhole('add');
  try {
    const { value, afterMs } = await eventually(
      'another conductor',
      async () => {
        const { node, epochs } = await both.other(conductor).status();
        return epochs.isConductor ? node.name : undefined;
      },
      CONDUCTS_WITHIN_MS,
    );
    const detail = `${conductor} without the bus, ${value} conducts after ${Math.round(afterMs)} ms`;
    return { to: conductor, detail };
  } finally {
    await blackhole('del');
  }
}

async function conductorOf(both: TwoNodes): Promise<string> {
  const { value } = await eventually(
    'a conductor',
    async () => {
      const statuses = await Promise.all(NODES.map((node) => both.agent(node).status()));
      return statuses.find(({ epochs }) => epochs.isConductor)?.node.name;
    },
    CONDUCTS_WITHIN_MS,
  );
  return value;
}

const hearsBus = ({ epochs }: Status): boolean => epochs.busConnected;

async function asBefore(both: TwoNodes): Promise<void> {
  await Promise.all(
    NODES.map((node) => both.agent(node).until('hear the bus', hearsBus, BACK_WITHIN_MS)),
  );
  await both.inStep();
}
