// A rig that goes on in the background: started, found and ended by its name. What it consists of is its
// keeper's business (keeper.ts).
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TidelockError } from '#agent/base/errors.ts';
import { cleanLeftovers, leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import { isAlive } from '#hwtest/rig/owner.ts';
import { requirePreflight } from '#hwtest/rig/preflight.ts';
import { logTail } from '#hwtest/rig/program.ts';
import { readPlan } from './plan.ts';
import { claim, logOf, readState, removeState, type Facts, type State } from './state.ts';

const UP_WITHIN_MS = 240_000;
const DOWN_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;

/**
 * Builds the rig of a plan and returns when its agents are in step; when it cannot, or `stop` aborts,
 * nothing of it stays. Errors: USAGE, RIG_PREREQUISITE, RIG_PROGRAM.
 */
export async function up(
  name: string,
  plan: string | undefined,
  stop: AbortSignal,
): Promise<Facts> {
  const planFile = plan === undefined ? undefined : resolve(plan);
  readPlan(planFile); // its mistakes are told before anything is built
  await requirePreflight();
  if (readState(name) !== undefined && liveState(name) === undefined) await down(name);
  if (!claim(name)) {
    throw new TidelockError('USAGE', {
      op: 'ci.up',
      message: `Cannot bring up the rig ${name}: it is there already`,
      hint: 'Take it down first (rig down), or give another one another --name.',
    });
  }
  const pid = startKeeper(name, planFile);
  const deadline = performance.now() + UP_WITHIN_MS;
  for (;;) {
    const state = readState(name);
    if (state?.phase === 'up' && state.facts !== undefined) return state.facts;
    if (stop.aborted || performance.now() > deadline || hasEnded(pid, state)) {
      const log = logTail(logOf(name));
      await down(name);
      throw notUp(name, state, stop.aborted ? 'interrupted' : `its log says: ${log}`);
    }
    await pause(LOOK_EVERY_MS);
  }
}

const notUp = (name: string, state: State | undefined, otherwise: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'ci.up',
    message: `Cannot bring up the rig ${name}: ${state?.problem?.message ?? otherwise}`,
    hint: state?.problem?.hint ?? 'Everything was removed again; start it once more.',
  });

/** In a session of its own, with nothing of ours open: it outlives this process, however it ends. */
function startKeeper(name: string, planFile: string | undefined): number | undefined {
  const script = fileURLToPath(new URL('./keeper.ts', import.meta.url));
  const log = openSync(logOf(name), 'a', 0o600);
  const { TIDELOCK_PARENT_PID: _launcher, ...env } = process.env;
  const argv = planFile === undefined ? [script, name] : [script, name, planFile];
  const child = spawn(process.execPath, argv, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env,
  });
  child.once('error', () => undefined); // told by its pid
  child.unref();
  closeSync(log);
  return child.pid;
}

function hasEnded(pid: number | undefined, state: State | undefined): boolean {
  if (pid === undefined || state?.phase === 'failed') return true;
  if (state !== undefined) return !isAlive(state.keeper);
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

const liveState = (name: string): State | undefined => {
  const state = readState(name);
  return state !== undefined && isAlive(state.keeper) ? state : undefined;
};

/** The rig that is up under this name. Errors: RIG_PROGRAM. */
export function liveFacts(name: string): Facts {
  const facts = liveState(name)?.facts;
  if (facts !== undefined) return facts;
  throw new TidelockError('RIG_PROGRAM', {
    op: 'ci.find',
    message: `Cannot find the rig ${name}: it is not up`,
    hint: 'Bring it up with: rig up. A rig ends with its machine or job.',
  });
}

/** Ends the keeper, then removes what it could not; nothing to do is no error. Errors: RIG_REMOVE. */
export async function down(name: string): Promise<void> {
  const state = readState(name);
  if (state !== undefined) {
    end(state, 'SIGTERM');
    const deadline = performance.now() + DOWN_WITHIN_MS;
    while (isAlive(state.keeper) && performance.now() < deadline) await pause(LOOK_EVERY_MS);
    end(state, 'SIGKILL');
  }
  await cleanLeftovers();
  const left = state?.facts === undefined ? 0 : totalOf(await leftovers(state.facts.id));
  if (left > 0) {
    throw new TidelockError('RIG_REMOVE', {
      op: 'ci.down',
      message: `Cannot remove the rig ${name}: ${left} things of it are left`,
      hint: 'A program of it may be stuck in the kernel; run rig down again.',
    });
  }
  removeState(name);
}

function end({ keeper }: State, signal: NodeJS.Signals): void {
  if (isAlive(keeper)) process.kill(keeper.pid, signal);
}
