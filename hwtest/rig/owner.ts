// Who owns a rig: one process, named so that neither a reused pid nor a reboot can be mistaken for
// it. Reads /proc only.
import { readFileSync } from 'node:fs';

export interface Owner {
  readonly pid: number;
  /** Start time in clock ticks since boot, /proc/PID/stat field 22 (proc_pid_stat(5)). */
  readonly startTicks: string;
  readonly bootId: string;
}

/** The process with this pid, if there is one now. */
export function processOf(pid: number): Owner | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks, bootId: bootId() };
}

/** Whether that very process still runs. */
export const isAlive = (owner: Owner): boolean =>
  owner.bootId === bootId() && startTicksOf(owner.pid) === owner.startTicks;

function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name may hold spaces and parentheses; the fields after its last ")" start at 3.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : rest[18];
  } catch {
    return undefined; // no such process
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
