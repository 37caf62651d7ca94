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
    const [threads, startTicks] = [rest[16], rest[18]];
    // A first thread that ended while others run shows as a zombie, too.
    const hasEnded = state === 'Z' && threads === '1';
    return hasEnded || startTicks === undefined ? undefined : { pid, startTicks };
  } catch {
    return undefined; // no such process
  }
}

/** Whether that very process still runs. */
export const isAlive = ({ pid, startTicks }: ProcessIdentity): boolean =>
  identify(pid)?.startTicks === startTicks;

/** Which file is at `path`, by whatever name; undefined where there is none. */
export function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** The file that the process runs; undefined when it has ended. Needs root. */
export const programOf = (pid: number): string | undefined => fileId(`/proc/${pid}/exe`);

/** Sends SIGKILL unless it has ended. */
export function killProcess(identity: ProcessIdentity): void {
  try {
    if (isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
  } catch {
    // it ended between the look and the signal
  }
}
