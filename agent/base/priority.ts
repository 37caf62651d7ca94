// How much of the processors a process asks for beside others (nice(7)). The kernel counts by thread, so
// all threads are asked for alike; what they start has what they have.
import { existsSync, readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Beside processes of usual priority: a third of their time where there is not enough for all, all else. */
export const BEHIND = 5;
export const USUAL = 0;

const THREADS = '/proc/self/task';
/** To setpriority(2), on Linux. */
const THIS_THREAD = 0;

/**
 * Gives every thread of this process the nice value `nice`. False when that would be more than it has and
 * it lacks CAP_SYS_NICE: then it keeps what it has.
 */
export const setProcessPriority = (nice: number): boolean =>
  readdirSync(THREADS).every(
    (tid) => isSet(Number(tid), nice) || !existsSync(`${THREADS}/${tid}`), // it has ended meanwhile
  );

function isSet(tid: number, nice: number): boolean {
  try {
    setPriority(tid, nice);
    return true;
  } catch {
    return false;
  }
}

/**
 * What `start` returns. A process that it starts has the nice value `nice`, or that of this thread where it
 * lacks CAP_SYS_NICE: a child has what the thread had that made it.
 */
export function withPriority<T>(nice: number, start: () => T): T {
  const own = getPriority();
  isSet(THIS_THREAD, nice);
  try {
    return start();
  } finally {
    isSet(THIS_THREAD, own);
  }
}
