// What a process uses, from /proc (proc(5)). Reading only.
import { readdir, readFile, stat } from 'node:fs/promises';

export interface ProcessUse {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly openFds: number;
  /** So many it may open. */
  readonly maxFds: number;
}

/** USER_HZ: the unit of times in /proc, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat after the name in parentheses, the first of them being `state`. */
const STAT = { utime: 11, stime: 12 } as const;

/** Undefined when there is no such process, or no more. */
export async function processUse(pid: number | undefined): Promise<ProcessUse | undefined> {
  if (pid === undefined) return undefined;
  try {
    const [line, status, limits, openFds] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/limits`, 'utf8'),
      openFdsOf(pid),
    ]);
    // The name may hold anything, a parenthesis too.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[STAT.utime]) + Number(fields[STAT.stime]);
    const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      residentBytes: residentKb * 1024,
      openFds,
      maxFds: Number(/^Max open files +(\d+) /m.exec(limits)?.[1] ?? 0),
    };
  } catch {
    return undefined;
  }
}

/** Since Linux 6.2 the folder's size says so; before, it has to be read. */
async function openFdsOf(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  return (await stat(folder)).size || (await readdir(folder)).length;
}
