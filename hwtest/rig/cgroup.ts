// Control groups (v2) of a rig: every process it starts is inside one from its first instruction,
// so that ending the group ends exactly those, grandchildren included. Uses no controller.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { TidelockError } from '#agent/base/errors.ts';

/** The cgroup v2 mount: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on hybrid hosts; undefined if none. */
export function cgroupMount(): string | undefined {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[2] === 'cgroup2');
  return line?.split(' ')[1];
}

export function makeCgroup(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

/** Pids in the group and all groups below it. */
export function cgroupPids(path: string): number[] {
  try {
    const own = readFileSync(`${path}/cgroup.procs`, 'latin1').split('\n').filter(Boolean);
    return [...own.map(Number), ...childGroups(path).flatMap(cgroupPids)];
  } catch {
    return []; // removed, perhaps while we looked
  }
}

/**
 * Asks every process inside to end, after `graceMs` kills what is left, and removes the group.
 * Errors: RIG_REMOVE when processes outlive SIGKILL.
 */
export async function removeCgroup(path: string, graceMs: number): Promise<void> {
  if (!existsSync(path)) return;
  for (const pid of graceMs > 0 ? cgroupPids(path) : []) sendTerm(pid);
  if (!(await emptyWithin(path, graceMs))) {
    writeFileSync(`${path}/cgroup.kill`, '1');
    if (!(await emptyWithin(path, 10_000))) {
      throw new TidelockError('RIG_REMOVE', {
        op: 'rig.remove',
        message: `Cannot remove ${path}: processes ${cgroupPids(path).join(', ')} do not end`,
        hint: 'They hang in the kernel (state D in ps). Run tidelock demo --clean once they are gone.',
      });
    }
  }
  await removeEmpty(path);
}

async function emptyWithin(path: string, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (cgroupPids(path).length > 0) {
    if (performance.now() >= deadline) return false;
    await pause(10);
  }
  return true;
}

/** A killed process leaves its group a moment after it left `cgroup.procs`: EBUSY until then. */
async function removeEmpty(path: string): Promise<void> {
  for (const child of childGroups(path)) await removeEmpty(child);
  for (let attempt = 0; existsSync(path); attempt += 1) {
    try {
      rmdirSync(path);
    } catch (cause) {
      if (existsSync(path) && attempt === 200) throw cause;
      await pause(10);
    }
  }
}

const childGroups = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${path}/${entry.name}`);

function sendTerm(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // ended since the list was read
  }
}
