// A client program of the soak in its pod, from the first start to the stop: what it prints is read by
// whoever knows it, and when it ends, which none does by itself, that is a failure and it is started
// again.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { inPlace, type Argv } from '#hwtest/rig/program.ts';
import type { RigPod } from '#hwtest/rig/rig.ts';
import type { Account } from './account.ts';

/** How a client program is run and understood. */
export interface ClientPlan {
  readonly argv: Argv;
  /** Reads a line that it printed. */
  hear(line: string, run: ClientRun): void;
  /** Looks, a few times a second, at what it writes elsewhere. */
  look?(run: ClientRun): void;
}

/** One life of a client program. */
export interface ClientRun {
  readonly pid: number;
  readonly account: Account;
  /** The program lost something; `what` is one clause. */
  failed(what: string): void;
}

const AGAIN_AFTER_MS = 300;
const LOOK_EVERY_MS = 300;

export interface RunningClient {
  /** Ends it; nothing that it says from now on counts. */
  stop(): Promise<void>;
}

/** Starts the program in its pod and keeps it running until stopped. */
export function runClient(pod: RigPod, plan: ClientPlan, account: Account): RunningClient {
  let isStopping = false;
  let runs = 0;
  let child: ChildProcess | undefined;
  let again: NodeJS.Timeout | undefined;
  const start = (): void => {
    runs += 1;
    const name = `run ${runs}`;
    const openedAt = Date.now();
    const [command, ...args] = inPlace(pod.place, plan.argv);
    const started = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: pod.dir,
      env: { ...process.env, HWTEST_RIG: pod.place.rigId },
    });
    child = started;
    let hasFailed = false;
    let last = '';
    const run: ClientRun = {
      pid: started.pid ?? 0,
      account,
      failed: (what) => {
        hasFailed = true;
        if (!isStopping) account.failed({ at: Date.now(), connection: name, openedAt, what });
      },
    };
    for (const stream of [started.stdout, started.stderr]) {
      createInterface(stream).on('line', (line) => {
        last = line;
        if (!isStopping) plan.hear(line, run);
      });
    }
    const looking = setInterval(() => plan.look?.(run), LOOK_EVERY_MS);
    started.once('close', (code, signal) => {
      clearInterval(looking);
      plan.look?.(run);
      if (isStopping) return;
      if (!hasFailed) run.failed(`it ended with ${signal ?? code}: ${last.slice(0, 200)}`);
      again = setTimeout(start, AGAIN_AFTER_MS);
    });
  };
  start();
  return {
    stop: async () => {
      isStopping = true;
      clearTimeout(again);
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child?.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}
