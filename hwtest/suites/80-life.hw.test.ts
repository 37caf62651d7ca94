import { statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import type { Program } from '#hwtest/rig/program.ts';
import { hold, roundOf, startEcho } from './held.ts';
import { ledgerTable, processChanges, takeLedger, type Holder, type Ledger } from './ledger.ts';
import { answersOf, countedTo, startSession } from './session.ts';
import {
  eventually,
  fetchFrom,
  NODES,
  report,
  SLACK,
  twoServedPairs,
  type TwoNodes,
} from './twoNodes.ts';

/** 50 for the full figure. */
const ROUNDS = Number(process.env['TIDELOCK_LIFE_ROUNDS'] ?? 2);
delete process.env['TIDELOCK_LIFE_ROUNDS']; // an agent takes it for a setting of its own
const PERIOD_MS = 5_000;
/** Connections that a client holds when a data plane is killed. */
const HELD = 4;
const BACK_WITHIN_MS = 2_000;
/** A data plane that ran so long starts again at once (proxy/plane.ts). */
const WELL_MS = 3_100;
const ROUND_MS = 60_000;
/** PLANE_FDS.replay of proxy/control.ts. */
const REPLAY_FD = 5;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoServedPairs(PERIOD_MS);
  await startEcho(both);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
  if (both) expect(totalOf(await leftovers(both.rig.id))).toBe(0);
});

const dataPlaneOf = async (
  node: string,
): Promise<{ readonly pid: number; readonly state: string }> => {
  const { pid = 0, state } = (await both.agent(node).status()).dataPlane;
  return { pid, state };
};

/** The replay set that a data plane has mapped, by its inode. */
const replaySetOf = (pid: number): number => statSync(`/proc/${pid}/fd/${REPLAY_FD}`).ino;

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function holders(): Promise<Holder[]> {
  const rows = await Promise.all(
    NODES.map(async (node) => [
      { name: `${node} agent`, pid: both.agent(node).program.pid },
      { name: `${node} data plane`, pid: (await dataPlaneOf(node)).pid },
    ]),
  );
  return rows.flat();
}

/** A ledger when nothing is under way: what is idle is closed by then. */
async function ledgerAtRest(): Promise<Ledger> {
  await both.inStep();
  await pause(2 * PERIOD_MS);
  return takeLedger(both, await holders());
}

/** Prints both, and holds every count but memory to what it was, give or take `slack` TCP sockets. */
function expectNoLeak(what: string, before: Ledger, after: Ledger): void {
  report(`${what}, ${ROUNDS} rounds\n${ledgerTable(before, after)}`);
  const changes = processChanges(before, after);
  for (const [name, was] of Object.entries(before.counts)) {
    const now = after.counts[name] ?? 0;
    if (name.endsWith('RSS MiB')) expect(now, name).toBeLessThan(1.5 * was + 20);
    else if (name.endsWith(': tcp')) expect(Math.abs(now - was), name).toBeLessThan(POOL_SLACK);
    else expect({ [name]: now }, changes).toEqual({ [name]: was });
  }
}

/** Sockets made in advance for a busy pod (proxy/socketPool.ts), for two workers. */
const POOL_SLACK = 32;

/** From client to server, until stopped. */
const session = (name: string, times?: number): Program =>
  startSession(both.rig, both.rig.pod('client'), both.rig.pod('server'), name, times);

const worst = (times: readonly number[]): string =>
  `${Math.round(Math.max(...times))} ms at worst, ${Math.round(times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0)} ms in the middle`;

describe('kill -9 of the data plane', () => {
  test(
    'what it carried is reset, it is back soon with its replay set, and pods connect; nothing is left behind',
    async () => {
      const backAfter: number[] = [];
      const before = await ledgerAtRest();
      for (let round = 0; round < ROUNDS; round += 1) {
        const node = NODES[round % 2] ?? NODES[0];
        const { pid } = await dataPlaneOf(node);
        const replaySet = replaySetOf(pid);
        const held = hold(both, 'client', HELD);
        expect((await roundOf(held, ROUND_MS)).live).toBe(HELD);
        process.kill(pid, 'SIGKILL');
        const { value, afterMs } = await eventually(
          `a new data plane on ${node}`,
          async () => {
            const now = await dataPlaneOf(node);
            return now.state === 'running' && now.pid !== pid ? now : undefined;
          },
          30_000,
        );
        backAfter.push(afterMs);
        expect(replaySetOf(value.pid)).toBe(replaySet);
        // Of whichever node: what was cut off is no clean end.
        expect(await roundOf(held, ROUND_MS)).toMatchObject({
          live: 0,
          errors: { ECONNRESET: HELD },
        });
        await held.stop();
        const servers = ['server', 'server-2'] as const;
        const answers = await Promise.all(
          servers.map((name) => fetchFrom(both, 'client-2', both.rig.pod(name))),
        );
        expect(answers.map(({ stdout }) => stdout.toString().trim())).toEqual(
          servers.map((name) => `canary of ${name}`),
        );
        await pause(WELL_MS);
      }
      report(`data plane killed: back after ${worst(backAfter)}`);
      expect(Math.max(...backAfter)).toBeLessThan(SLACK * BACK_WITHIN_MS);
      expectNoLeak('kill -9 of the data plane', before, await ledgerAtRest());
    },
    60_000 + ROUNDS * ROUND_MS,
  );
});

describe('kill -9 of the control plane', () => {
  test(
    'live lanes go on, the next one takes the data plane over; nothing is left behind',
    async () => {
      const takenAfter: number[] = [];
      const stepAfter: number[] = [];
      const live = session('lives');
      const planes = await Promise.all(NODES.map(dataPlaneOf));
      const before = await ledgerAtRest();
      for (let round = 0; round < ROUNDS; round += 1) {
        const node = NODES[round % 2] ?? NODES[0];
        const { pid } = await dataPlaneOf(node);
        const replaySet = replaySetOf(pid);
        const { program } = both.agent(node);
        program.kill('SIGKILL');
        await program.ended;
        expect(isThere(pid)).toBe(true);
        const fromMs = performance.now();
        const again = both.startAgain(node);
        const ms = (): number => performance.now() - fromMs;
        await again.until('data plane taken', ({ dataPlane }) => dataPlane.pid === pid, 20_000);
        takenAfter.push(ms());
        await both.inStep();
        stepAfter.push(ms());
        expect(replaySetOf(pid)).toBe(replaySet);
        expect((await fetchFrom(both, 'client-2', both.rig.pod('server-2'))).code).toBe(0);
        expect(live.running()).toBe(true);
      }
      const after = await ledgerAtRest();
      await live.stop();
      const answers = answersOf(live);
      report(`control plane killed: data plane taken over after ${worst(takenAfter)}`);
      report(`control plane killed: in step after ${worst(stepAfter)}`);
      report(`${answers.length} exchanges on one connection through ${ROUNDS} kills`);
      expect(answers).toEqual(countedTo(answers.length));
      expect((await Promise.all(NODES.map(dataPlaneOf))).map(({ pid }) => pid)).toEqual(
        planes.map(({ pid }) => pid),
      );
      expectNoLeak('kill -9 of the control plane', before, after);
    },
    60_000 + ROUNDS * ROUND_MS,
  );

  test('a data plane that keeps still is ended, and the next one has its ports', async () => {
    const { pid } = await dataPlaneOf('node-b');
    process.kill(pid, 'SIGSTOP'); // it hears nobody and holds the lane port and those in the pods
    const { program } = both.agent('node-b');
    program.kill('SIGKILL');
    await program.ended;
    const again = both.startAgain('node-b');
    await again.until(
      'another data plane',
      ({ dataPlane }) => dataPlane.state === 'running' && dataPlane.pid !== pid,
      20_000,
    );
    await both.inStep();
    expect(isThere(pid)).toBe(false);
    expect((await fetchFrom(both, 'client', both.rig.pod('server'))).code).toBe(0);
  }, 120_000);

  test('a data plane without one ends by itself when told to', async () => {
    const { pid } = await dataPlaneOf('node-a');
    const { program } = both.agent('node-a');
    program.kill('SIGKILL');
    await program.ended;
    expect((await leftovers(both.rig.id)).processes).toBeGreaterThan(0);
    process.kill(pid, 'SIGTERM');
    await eventually('its end', async () => !isThere(pid) || undefined, 10_000);
    both.startAgain('node-a');
    await both.inStep();
    expect((await fetchFrom(both, 'client', both.rig.pod('server'))).code).toBe(0);
  }, 120_000);
});

describe('a graceful stop', () => {
  test('lets live lanes finish, refuses new ones, ends with 0 and leaves no process', async () => {
    const { pid } = await dataPlaneOf('node-a');
    const { program } = both.agent('node-a');
    const last = session('last', 25); // 2.5 s
    await eventually('its first answer', async () => answersOf(last)[0], 5_000);
    program.kill('SIGTERM');
    await pause(500);
    const refused = await fetchFrom(both, 'client-2', both.rig.pod('server-2'));
    const end = await program.ended;
    expect(refused.code).not.toBe(0);
    expect(answersOf(last)).toEqual(countedTo(25));
    expect((await last.ended).code).toBe(0);
    expect(end).toEqual({ code: 0, signal: null });
    expect(isThere(pid)).toBe(false);
    both.startAgain('node-a');
    await both.inStep();
  }, 120_000);
});
