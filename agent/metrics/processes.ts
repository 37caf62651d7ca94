// What a process uses, from /proc (proc(5)). Reading only.
import { readdir, readFile } from 'node:fs/promises';

export interface ProcessUse {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly openFds: number;
}

/** USER_HZ: the unit of times in /proc, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat after the name in parentheses, the first of them being `state`. */
const STAT = { utime: 11, stime: 12 } as const;

/** Undefined when there is no such process, or no more. */
export async function processUse(pid: number): Promise<ProcessUse | undefined> {
  try {
    const [stat, status, fds] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    // The name may hold anything, a parenthesis too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[STAT.utime]) + Number(fields[STAT.stime]);
    const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      residentBytes: residentKb * 1024,
      openFds: fds.length,
    };
  } catch {
    return undefined;
  }
}
