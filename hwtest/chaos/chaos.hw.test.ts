// Two nodes whose applications talk while everything is done to their bus that can be: no application notices, and
// afterwards both nodes follow new records again. `npm run test:hw -- chaos`; `npm test` leaves it out, since it
// takes a quarter of an hour. The last lines are the table.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Status } from '#agent/api/status.ts';
import { startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { eventually, isInStep, pod, twoNodes, type TwoNodes } from '#hwtest/suites/twoNodes.ts';
import {
  agentSuspended,
  controlPlanesKilled,
  cut,
  emptied,
  full,
  killed,
  leaderOf,
  proxied,
  restored,
  sabotage,
  sabotaged,
  suspended,
  type Fault,
} from './faults.ts';
import { startTraffic, type Noticed, type Pair, type Patience } from './traffic.ts';

const PERIOD_MS = 5_000;
const HELD_MS = 20_000;
/** Applications are watched from before a fault begins until after it is healed. */
const CALM_MS = 3_000;
const HEALED_WITHIN_MS = 120_000;
const PAIRS: readonly Pair[] = [
  ['client', 'server'],
  ['client-b', 'server-a'],
];
/** What comes into a pod waits for its control plane: more than a few sockets in there are not kept in stock. */
const WITHOUT_CONTROL_PLANE: Patience = { seconds: 30 };
/** What a suspended node's pods ask waits for it; others are refused after a slot without a reply (PROTOCOL 7.3). */
const SUSPENDED: Patience = { seconds: 60, fetching: [['client', 'server']] };
const ALL_BUS = 'ip daddr 198.18.0.2-198.18.0.4';
const FROM_BUS = 'ip saddr 198.18.0.2-198.18.0.4';

interface Row {
  readonly bus: string;
  readonly fault: string;
  readonly heldMs: number;
  readonly requests: number;
  readonly exchanges: number;
  readonly failed: number;
  /** Undefined: not at all. */
  readonly healedMs: number | undefined;
}
const rows: Row[] = [];
let courses = 0;

afterAll(() => {
  const cells = rows.map(({ bus, fault, heldMs, requests, exchanges, failed, healedMs }) =>
    [
      bus,
      fault,
      (heldMs / 1000).toFixed(0),
      requests,
      exchanges,
      failed,
      healedMs === undefined ? 'never' : (healedMs / 1000).toFixed(1),
    ].join(' | '),
  );
  const head = 'bus | fault | held, s | requests | exchanges | failed | healed after, s';
  process.stderr.write(
    `\n| ${[head, '--- | --- | --- | --- | --- | --- | ---', ...cells].join(' |\n| ')} |\n`,
  );
});

async function nodesWith(busServers: 1 | 3): Promise<TwoNodes> {
  const both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('server-a', 'node-a', 'server'),
      pod('client-b', 'node-b', 'client'),
      pod('server', 'node-b', 'server'),
    ],
    periodMs: PERIOD_MS,
    busServers,
  });
  for (const name of ['server', 'server-a']) {
    const { place, dir } = both.rig.pod(name);
    await startNginx(place, dir, `canary of ${name}`);
    await startRedis(place, dir);
  }
  return both;
}

const statuses = (both: TwoNodes): Promise<(Status | undefined)[]> =>
  Promise.all(
    both.rig.nodes.map(({ name }) =>
      both
        .agent(name)
        .status()
        .catch(() => undefined),
    ),
  );

/** The newest epoch that any of both nodes knows of, if it answers at all. */
const newestEpoch = async (both: TwoNodes): Promise<number> =>
  Math.max(...(await statuses(both)).map((seen) => seen?.epochs.epoch ?? 0));

/** Both are on the bus and in step by a record made after the fault; how long that took. */
async function healed(both: TwoNodes, epoch: number): Promise<number> {
  const { afterMs } = await eventually(
    'both nodes in step by a new record',
    async () => {
      const isHealed = (await statuses(both)).every(
        (one) => one && isInStep(one) && one.epochs.busConnected && one.epochs.epoch > epoch + 1,
      );
      return isHealed || undefined;
    },
    HEALED_WITHIN_MS,
  );
  return afterMs;
}

async function endure(
  both: TwoNodes,
  bus: string,
  fault: Fault,
  patience: Patience = {},
  heldMs = HELD_MS,
): Promise<void> {
  courses += 1;
  const stop = startTraffic(both, PAIRS, `chaos-${courses}`, patience);
  let healedMs: number | undefined;
  let noticed: Noticed | undefined;
  try {
    await pause(CALM_MS);
    const before = await newestEpoch(both);
    await fault.begin();
    await pause(heldMs);
    const epoch = Math.max(before, await newestEpoch(both));
    await fault.end();
    healedMs = await healed(both, epoch);
    await pause(CALM_MS);
  } finally {
    noticed = await stop();
    const { requests, exchanges, failed } = noticed;
    rows.push({
      bus,
      fault: fault.name,
      heldMs,
      requests,
      exchanges,
      failed: failed.length,
      healedMs,
    });
  }
  expect(noticed.failed).toEqual([]);
}

/** What is done to a bus, in order; each in a test of its own. */
const inOrder = (
  bus: string,
  rig: () => TwoNodes,
  faults: Readonly<Record<string, (name: string, both: TwoNodes) => Promise<Fault> | Fault>>,
  patience?: Patience,
): void => {
  test.each(Object.entries(faults))('%s', async (name, make) => {
    await endure(rig(), bus, await make(name, rig()), patience);
  });
};

describe('one nats-server', () => {
  let both: TwoNodes;
  let dir: string;
  beforeAll(async () => {
    both = await nodesWith(1);
    dir = both.rig.dir;
    await sabotage(both, {
      mode: 'keep',
      seconds: 3 * (PERIOD_MS / 1000),
      file: `${dir}/yesterday`,
    });
  }, 400_000);
  afterAll(async () => {
    await both?.[Symbol.asyncDispose]();
  });
  const first = ({ rig }: TwoNodes) => rig.bus.servers.slice(0, 1);
  const seconds = HELD_MS / 1000;

  inOrder('one', () => both, {
    'killed and started again': (name) => killed(name, first(both)),
    'suspended, its connections open': (name) => suspended(name, first(both)),
    'restored from an old backup': async (name) => {
      const [server] = first(both);
      if (!server) throw new RangeError('no server');
      const fault = restored(name, server);
      await fault.backUp();
      await pause(4 * PERIOD_MS); // until it is old
      return fault;
    },
    'all its data lost': (name) => emptied(name, first(both)),
    'yesterday’s messages said again': (name) =>
      sabotaged(both, name, { mode: 'replay', seconds, file: `${dir}/yesterday` }),
    'every message twice, late and out of order': (name) =>
      sabotaged(both, name, { mode: 'echo', seconds }),
    'a proxy that repeats, delays and reorders': (name) => {
      const [server] = first(both);
      if (!server) throw new RangeError('no server');
      return proxied(both, name, server);
    },
    'each record corrupted in a hundred ways': (name) =>
      sabotaged(both, name, { mode: 'corrupt', seconds }),
    'each record followed by a forged one': (name) =>
      sabotaged(both, name, { mode: 'forge', seconds }),
  });
  inOrder(
    'one',
    () => both,
    {
      'all its data lost, and a control plane without a memory alone on it': (name) => {
        const others = cut(both, name, both.rig.nodes.slice(0, 1), [['output', ALL_BUS]]);
        return controlPlanesKilled(both, name, both.rig.nodes.slice(1), {
          whenDown: async () => {
            await others.begin();
            const lost = emptied(name, first(both));
            await lost.begin();
            await lost.end();
          },
          end: () => others.end(),
        });
      },
    },
    WITHOUT_CONTROL_PLANE,
  );
  inOrder(
    'one',
    () => both,
    {
      'the agent of one node suspended': (name) => agentSuspended(both, name, 'node-a'),
    },
    SUSPENDED,
  );
});

describe('three nats-servers', () => {
  let both: TwoNodes;
  beforeAll(async () => {
    both = await nodesWith(3);
  }, 400_000);
  afterAll(async () => {
    await both?.[Symbol.asyncDispose]();
  });
  const server = (i: number) => {
    const found = both.rig.bus.servers[i];
    if (!found) throw new RangeError(`no server ${i}`);
    return found;
  };
  const nodeA = () => both.rig.nodes.slice(0, 1);

  inOrder('three', () => both, {
    'the first killed': (name) => killed(name, [server(0)]),
    'the second killed': (name) => killed(name, [server(1)]),
    'the third killed, its disk lost with it': (name) => killed(name, [server(2)]),
    'the leader of the records’ stream killed': async (name) =>
      killed(name, [await leaderOf(both)]),
    'the leader of the records’ stream suspended': async (name) =>
      suspended(name, [await leaderOf(both)]),
    'the disk of one full': (name) => full(name, server(2)),
    'two killed: no majority': (name) => killed(name, [server(0), server(1)]),
    'all killed': (name) => killed(name, both.rig.bus.servers),
    'one node cut off from all, both ways': (name) =>
      cut(both, name, nodeA(), [
        ['output', ALL_BUS],
        ['input', FROM_BUS],
      ]),
    'one node hears none': (name) => cut(both, name, nodeA(), [['input', FROM_BUS]]),
    'none hears one node': (name) => cut(both, name, nodeA(), [['output', ALL_BUS]]),
    'both nodes cut off from all': (name) =>
      cut(both, name, both.rig.nodes, [
        ['output', ALL_BUS],
        ['input', FROM_BUS],
      ]),
  });
  inOrder(
    'three',
    () => both,
    {
      'the control planes of both nodes and all servers killed, agents first to start': (name) =>
        controlPlanesKilled(both, name, both.rig.nodes, {
          whenDown: () => both.rig.bus.kill(),
          end: () => both.rig.bus.start(),
        }),
    },
    WITHOUT_CONTROL_PLANE,
  );
});
