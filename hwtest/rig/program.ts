// Programs of a rig: started in a place (network namespace and cgroup), logged to a file, ended with
// the process that owns the rig. Not a supervisor: nothing is restarted.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { TidelockError } from '#agent/base/errors.ts';
import { run, type RunOptions, type RunResult } from '#agent/base/run.ts';
import type { Netns } from './netns.ts';

/** Where a program runs. */
export interface Place {
  readonly netns: Netns;
  /** A cgroup v2 directory that exists. */
  readonly cgroup: string;
  /** Marks the processes of one rig: `HWTEST_RIG` in their environment. */
  readonly rigId: string;
}

export type Argv = readonly [string, ...string[]];

export interface ProgramOptions {
  readonly name: string;
  /** Standard output and error go there. */
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** User and group id; root when absent. */
  readonly uid?: number;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles when the process is gone; never rejects. */
  readonly ended: Promise<ProgramEnd>;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after `graceMs` (default 5 s). */
  stop(graceMs?: number): Promise<ProgramEnd>;
}

/**
 * `argv` run inside `place`: joined to its cgroup before anything else, killed when we die. To be
 * started in a session of its own from its first instruction on, so that Ctrl-C reaches only the
 * owner of the rig, which ends things in order.
 */
export const inPlace = (place: Place, argv: Argv, uid?: number): Argv => [
  'sh',
  '-c',
  'echo 0 > "$1/cgroup.procs" && shift && exec "$@"',
  'sh',
  place.cgroup,
  'nsenter',
  `--net=${place.netns.path}`,
  '--',
  'setpriv',
  '--pdeathsig=KILL',
  ...(uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']),
  '--',
  ...argv,
];

/** Runs a program to its end inside `place`. Errors: those of `run`. */
export const execIn = (place: Place, argv: Argv, options: RunOptions = {}): Promise<RunResult> =>
  run(inPlace(place, argv), {
    ...options,
    ownSession: true,
    env: { ...options.env, HWTEST_RIG: place.rigId },
  });

/** Starts a program that goes on running. Errors: RIG_PROGRAM when it cannot be started. */
export function spawnIn(place: Place, argv: Argv, options: ProgramOptions): Program {
  const log = openSync(options.logFile, 'a', 0o600);
  const [command, ...args] = inPlace(place, argv, options.uid);
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    detached: true,
    cwd: options.cwd,
    env: { ...process.env, ...options.env, HWTEST_RIG: place.rigId },
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', () => undefined);
    throw programError(options, 'it could not be started');
  }
  let end: ProgramEnd | undefined;
  const ended = new Promise<ProgramEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      end = { code, signal };
      resolve(end);
    });
  });
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    ended,
    running: () => end === undefined,
    kill: (signal) => void child.kill(signal),
    stop: async (graceMs = 5000) => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const result = await ended;
      clearTimeout(timer);
      return result;
    },
  };
}

/**
 * Waits until something in the program's network namespace listens on a TCP port, of the IPv4 `address` where one is
 * given. Errors: RIG_PROGRAM when the program ends first, or after 20 s.
 */
export async function waitListening(
  program: Program,
  port: number,
  address?: string,
): Promise<void> {
  await waitFor(program, `port ${port}`, () => isListening(program.pid, port, address));
}

/** Waits until `ready()` holds while the program runs. Errors: RIG_PROGRAM. */
export async function waitFor(
  program: Program,
  what: string,
  ready: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (!program.running()) throw programError(program, `it ended before ${what} was ready`);
    if (await ready()) return;
    if (performance.now() > deadline) {
      throw programError(program, `${what} is not ready after ${timeoutMs} ms`);
    }
    await pause(20);
  }
}

/**
 * /proc/PID/net shows the namespace of that process: no need to enter it (proc_pid_net(5)). Before
 * nsenter has done its work that is our own namespace, whose listeners do not count.
 */
function isListening(pid: number, port: number, address?: string): boolean {
  const portHex = port.toString(16).toUpperCase().padStart(4, '0');
  const at = address === undefined ? '[0-9A-F]+' : hexAddress(address);
  const listens = new RegExp(`^\\s*\\d+: ${at}:${portHex} [0-9A-F:]+ 0A `, 'm');
  return ['tcp', 'tcp6'].some((table) => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return false;
      return listens.test(readFileSync(`/proc/${pid}/net/${table}`, 'latin1'));
    } catch {
      return false; // the process is gone; the caller finds out by itself
    }
  });
}

/** An IPv4 address as these tables show it: its bytes in reverse order. */
const hexAddress = (address: string): string =>
  address
    .split('.')
    .toReversed()
    .map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0'))
    .join('');

const programError = (program: Pick<Program, 'name' | 'logFile'>, state: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'rig.program',
    message: `Cannot run ${program.name}: ${state}`,
    hint: `Its log says: ${logTail(program.logFile)}`,
  });

/** The last lines of a program's log, on one line. */
export function logTail(logFile: string, lines = 4): string {
  try {
    const text = readFileSync(logFile, 'utf8').trim();
    return text.split('\n').slice(-lines).join(' / ').slice(-800) || '(nothing)';
  } catch {
    return '(no log)';
  }
}
