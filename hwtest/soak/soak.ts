// `npm run soak`: unmodified programs of many kinds talk across two nodes while keys rotate, processes
// are killed, a new build takes over, the bus goes away and the conductor changes. It says which program
// noticed what. Everything it makes is gone when it returns.
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '#agent/base/errors.ts';
import { bundle } from '#daemonset/bundle.ts';
import { CRASHABLE } from '#hwtest/rig/crashable.ts';
import { cleanLeftovers } from '#hwtest/rig/leftovers.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import { NODES, pod, twoNodes, type TwoNodes } from '#hwtest/suites/twoNodes.ts';
import { Account } from './account.ts';
import { act, type Theatre } from './acts.ts';
import { runClient } from './client.ts';
import { PROGRAMS, type SoakProgram } from './programs.ts';
import { soakResult, type SoakResult } from './result.ts';
import { scheduleOf, type Planned } from './schedule.ts';
import type { Act } from './windows.ts';

export interface SoakOptions {
  /** Length of the load. */
  readonly forMs: number;
  /** Told what happens, one line each. */
  readonly say: (line: string) => void;
  /** Ends it early; what was found until then is the result. */
  readonly stop: AbortSignal;
}

const PERIOD_MS = 5_000;
const PROGRESS_EVERY_MS = 10_000;
/** From the start of a client to its first answers, and from the end of an act to the next ones. */
const ANSWERS_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 100;

/**
 * Runs the soak to its end. What does not come back is a problem of the result.
 * Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, before there is a result.
 */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { say } = options;
  for (const id of await cleanLeftovers()) say(`removed what an earlier run left (${id})`);
  say('building two nodes, their agents in step');
  await using both = await twoNodes({
    pods: [
      pod('client-a', 'node-a', 'client'),
      pod('server-a', 'node-a', 'server'),
      pod('client-b', 'node-b', 'client'),
      pod('server-b', 'node-b', 'server'),
    ],
    periodMs: PERIOD_MS,
    program: CRASHABLE,
  });
  say('bundling this checkout: the build that takes over from it');
  const dir = `${both.rig.dir}/bundle`;
  await bundle(dir);
  const otherBuild: Argv = [process.execPath, `${dir}/tidelock.mjs`];
  return await talk({ both, otherBuild }, options); // before the rig is removed
}

async function talk(theatre: Theatre, options: SoakOptions): Promise<SoakResult> {
  const { both } = theatre;
  const { say, stop, forMs } = options;
  for (const program of PROGRAMS) {
    say(`starting ${program.name} in ${program.server}`);
    await program.serve(both.rig.pod(program.server));
  }
  const talking = PROGRAMS.map((program) => startTalking(both, program));
  const accounts = talking.map(({ account }) => account);
  const problems: string[] = [];
  const acts: Act[] = [];
  const answersSince = async (since: number, when: string): Promise<void> => {
    const silent = await silentSince(accounts, since);
    problems.push(...silent.map((name) => `${name} got no answer ${when}`));
  };
  try {
    await answersSince(Date.now(), 'at the start');
    const slotBefore = await slotOf(both);
    const startedMs = performance.now();
    const elapsedMs = (): number => performance.now() - startedMs;
    const progress = setInterval(() => say(progressLine(accounts, elapsedMs())), PROGRESS_EVERY_MS);
    try {
      for (const planned of scheduleOf(forMs)) {
        await waitFor(planned.atMs - elapsedMs(), stop);
        if (stop.aborted) break;
        const done = await attempt(theatre, planned);
        if ('problem' in done) {
          problems.push(done.problem);
          continue;
        }
        acts.push(done);
        say(`${done.kind} of ${done.to}: ${done.detail}; all as before after ${tookMs(done)} ms`);
        await answersSince(done.until, `after ${done.kind} of ${done.to}`);
      }
      await waitFor(forMs - elapsedMs(), stop);
    } finally {
      clearInterval(progress);
    }
    return soakResult({
      seconds: Math.round(elapsedMs() / 1_000),
      periodMs: PERIOD_MS,
      slots: (await slotOf(both)) - slotBefore,
      problems,
      acts,
      programs: talking,
    });
  } finally {
    await Promise.all(talking.map(({ running }) => running.stop()));
  }
}

function startTalking(both: TwoNodes, program: SoakProgram) {
  const { client, server } = program;
  const account = new Account(program.name);
  const from = both.rig.pod(client);
  const plan = program.plan(both.rig.pod(server).address, from.dir);
  const running = runClient(from, plan, account);
  return { account, client, server, running };
}

/** An act, or why it did not end as it should have. */
const attempt = (theatre: Theatre, planned: Planned): Promise<Act | { readonly problem: string }> =>
  act(theatre, planned).catch((error: unknown) => ({
    problem: `${planned.kind} ${planned.node ?? ''}: ${messageOf(error)}`,
  }));

const tookMs = ({ from, until }: Act): number => until - from;

const slotOf = async (both: TwoNodes): Promise<number> =>
  (await both.agent(NODES[0]).status()).epochs.slot;

/** The programs that got no answer since a wall time, though they had some seconds to. */
async function silentSince(accounts: readonly Account[], since: number): Promise<string[]> {
  const deadlineMs = performance.now() + ANSWERS_WITHIN_MS;
  for (;;) {
    const silent = accounts.filter(({ answeredAt }) => answeredAt <= since);
    if (silent.length === 0 || performance.now() > deadlineMs) {
      return silent.map(({ program }) => program);
    }
    await pause(LOOK_EVERY_MS);
  }
}

function progressLine(accounts: readonly Account[], elapsedMs: number): string {
  const counts = accounts.map(({ program, requests }) => `${program} ${requests}`).join(', ');
  const failures = accounts.reduce((sum, account) => sum + account.failures.length, 0);
  return `${Math.round(elapsedMs / 1_000)} s: ${counts}; ${failures} errors`;
}

/** Until `ms` have passed, or the stop. */
const waitFor = (ms: number, signal: AbortSignal): Promise<unknown> =>
  pause(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
