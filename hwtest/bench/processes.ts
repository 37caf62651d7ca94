// What a set of processes has used, from /proc: resident memory and processor time of each with all that
// descend from it. Reads, never changes.
import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ of Linux on x64 and arm64 (times(2)). */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly cpuTicks: number;
}

/** `pids` and everything below them that lives now. */
export function treeOf(pids: readonly number[]): readonly number[] {
  const all = readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) ? (statOf(name) ?? []) : [],
  );
  const tree = new Set(pids);
  for (let before = -1; before !== tree.size;) {
    before = tree.size;
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid);
  }
  return [...tree];
}

/** Whether all of them live. */
export const areRunning = (pids: readonly number[]): boolean =>
  pids.every((pid) => statOf(String(pid)) !== undefined);

/** Seconds of processor time, user and system, of these processes and their threads so far. */
export const cpuSecondsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + (statOf(String(pid))?.cpuTicks ?? 0), 0) / TICKS_PER_SECOND;

/** Resident bytes of these processes; pages they share count for each. */
export const residentBytesOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + kilobytesOf(pid) * 1024, 0);

const kilobytesOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);

function statOf(pid: string): Stat | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The command name may hold spaces and parentheses; the fields after its last ")" start at 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 13) return undefined;
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
  return { pid: Number(pid), parent: parent ?? 0, cpuTicks: (user ?? 0) + (system ?? 0) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
