import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CRASHABLE } from '#hwtest/rig/crashable.ts';
import type { Argv, Program } from '#hwtest/rig/program.ts';
import { hold as holdIn, roundOf as roundWithin, startEcho } from './held.ts';
import type { HolderSays } from './holder.ts';
import { eventually, NODES, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

const PERIOD_MS = 5_000;
/** Of the agents: few, so that a test can use them up. */
const MAX_FDS = 500;
/** More connections than that, at two descriptors each, beside fewer that were there before. */
const [MANY, FEW] = [250, 60];
const WITHIN_MS = 20_000;
const LIMITED: Argv = ['prlimit', `--nofile=${MAX_FDS}`, '--', ...CRASHABLE];

let both: TwoNodes;
beforeAll(async () => {
  const pods = [
    pod('client', 'node-a', 'client'),
    pod('client-2', 'node-a', 'client'),
    pod('client-3', 'node-a', 'client'),
    pod('server', 'node-b', 'server'),
  ];
  const lanes = { workers: 2 };
  both = await twoNodes({ pods, periodMs: PERIOD_MS, lanes, program: LIMITED });
  await startEcho(both);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const hold = (name: string, count: number): Program => holdIn(both, name, count);
const roundOf = (holder: Program): Promise<HolderSays> => roundWithin(holder, WITHIN_MS);

const status = () => both.agent('node-a').status();
/** Connections that either node had no descriptor for. */
const refusedByBoth = async (): Promise<number> => {
  const states = await Promise.all(NODES.map((node) => both.agent(node).status()));
  return states.reduce((sum, { lanes }) => sum + (lanes.refused['limit'] ?? 0), 0);
};

describe('82-limits', () => {
  test('beyond the descriptors new connections are reset and said, live ones go on, later ones are taken', async () => {
    const first = hold('client', FEW);
    expect(await roundOf(first)).toMatchObject({ live: FEW, errors: {} });
    const rest = hold('client-2', MANY);
    const { live, errors } = await roundOf(rest);
    const { processes, dataPlane } = await status();
    report(`${FEW + live} lanes with ${processes?.data?.maxFds} descriptors`);
    expect(processes?.data?.maxFds).toBe(MAX_FDS);
    expect(live).toBeGreaterThan(0);
    expect(live + (errors['ECONNRESET'] ?? 0)).toBe(MANY);
    expect(await refusedByBoth()).toBe(errors['ECONNRESET']);
    expect(dataPlane).toMatchObject({ state: 'running', restarts: 0, working: 2 });
    expect(await roundOf(first)).toMatchObject({ live: FEW, errors: {} });
    await Promise.all([first, rest].map((program) => program.stop()));
    const later = hold('client-3', 20);
    expect(await roundOf(later)).toMatchObject({ live: 20, errors: {} });
    await later.stop();
  });

  test('a worker thread that ends takes its own lanes along; the others’ live and a spare takes new ones', async () => {
    const before = hold('client', FEW);
    expect(await roundOf(before)).toMatchObject({ live: FEW, errors: {} });
    const { dataPlane } = await status();
    process.kill(dataPlane.pid ?? 0, 'SIGUSR2');
    const now = await eventually(
      'a lost worker',
      async () => {
        const { dataPlane: seen } = await status();
        return seen.spares === 0 ? seen : undefined;
      },
      WITHIN_MS,
    );
    expect(now.value).toMatchObject({ pid: dataPlane.pid, restarts: 0, working: 2 });
    const { live, errors } = await roundOf(before);
    report(`lanes by worker ${dataPlane.lanesByWorker.join(' + ')}, ${live} of ${FEW} lived`);
    expect(dataPlane.lanesByWorker).toContain(live);
    expect(errors).toEqual(live === FEW ? {} : { ECONNRESET: FEW - live });
    const after = hold('client-2', FEW);
    expect(await roundOf(after)).toMatchObject({ live: FEW, errors: {} });
    expect((await status()).dataPlane.lanesByWorker.every((lanes) => lanes > 0)).toBe(true);
    await Promise.all([before, after].map((program) => program.stop()));
  });
});
