// One process and no other: a pid alone may be another process by the time it is used (pid reuse).
// Reads /proc only.
import { readFileSync, statSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started: /proc/PID/stat field 22 (proc_pid_stat(5)). */
  readonly startTicks: string;
}

/** The process that has this pid now, if any; one that has ended and waits to be reaped is none. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name may hold spaces and parentheses; what follows its last ")" starts at field 3.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = rest[18];
    return state === 'Z' || startTicks === undefined ? undefined : { pid, startTicks };
  } catch {
    return undefined; // no such process
  }
}

/** Whether that very process still runs. */
export const isAlive = ({ pid, startTicks }: ProcessIdentity): boolean =>
  identify(pid)?.startTicks === startTicks;

/** Whether it runs the program at `path`: the same file, by whatever name. Needs root. */
export function runsProgram({ pid }: ProcessIdentity, path: string): boolean {
  try {
    const [its, wanted] = [statSync(`/proc/${pid}/exe`), statSync(path)];
    return its.dev === wanted.dev && its.ino === wanted.ino;
  } catch {
    return false; // it ended, or the program was replaced
  }
}

/** Sends SIGKILL unless it has ended. */
export function killProcess(identity: ProcessIdentity): void {
  try {
    if (isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
  } catch {
    // it ended between the look and the signal
  }
}
