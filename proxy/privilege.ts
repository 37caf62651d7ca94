// Least privilege of the data plane: how it gives everything up, and how the control plane, which
// does not take its word, reads from /proc that it has.
import { Buffer } from 'node:buffer';
import { randomFill } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { TidelockError } from '#agent/base/errors.ts';
import type { PlaneSettings } from './control.ts';
import {
  emptyBoundingSet,
  forbidTasks,
  setNoNewPrivileges,
  setUndumpable,
} from '#proxy/native/process.ts';

/**
 * Becomes `uid` and `gid` on all threads, without groups or capabilities, for good. Afterwards
 * nothing can be imported: the checkout may be in a folder that only root can read. And nothing can be
 * started: who ends this process ends all that was ever of it.
 * Errors: DATA_PLANE_PRIVILEGED when root can be had back.
 */
export function dropPrivileges({ uid, gid }: PlaneSettings): void {
  emptyBoundingSet();
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid); // of all threads, and it empties their capability sets (capabilities(7))
  setNoNewPrivileges();
  setUndumpable();
  randomFill(Buffer.alloc(1), () => undefined); // starts the threads of libuv's pool
  forbidTasks();
  if (process.getuid?.() !== uid || canBecomeRoot()) {
    throw new TidelockError('DATA_PLANE_PRIVILEGED', {
      op: 'plane.drop',
      message: `Cannot drop privileges: user ${process.getuid?.()} can still become root`,
      hint: 'Set lanes.uid to an ordinary user that nothing else runs as; it must not be 0.',
    });
  }
}

function canBecomeRoot(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false; // EPERM is what an unprivileged process gets
  }
}

/** Lines of /proc/PID/status (proc(5)) and what each must be in every thread. */
const expectedStatus = ({ uid, gid }: PlaneSettings): ReadonlyMap<string, string> =>
  new Map([
    ['Uid', Array(4).fill(uid).join(' ')],
    ['Gid', Array(4).fill(gid).join(' ')],
    ['Groups', ''],
    ['CapInh', '0'],
    ['CapPrm', '0'],
    ['CapEff', '0'],
    ['CapAmb', '0'],
    ['NoNewPrivs', '1'],
  ]);

/** Of /proc/PID/limits: no task more, soft and hard. */
const NO_TASKS = /^Max processes +0 +0 /m;

/** What a process of these settings has that it must not, thread by thread; empty when it is clean. */
export function privilegeFaults(pid: number, settings: PlaneSettings): string[] {
  const expected = expectedStatus(settings);
  const tasks = `/proc/${pid}/task`;
  const faults = readdirSync(tasks).flatMap((tid) =>
    statusFaults(readFileSync(`${tasks}/${tid}/status`, 'utf8'), expected).map(
      (fault) => `thread ${tid}: ${fault}`,
    ),
  );
  const canFork = !NO_TASKS.test(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  return canFork ? [...faults, 'it may start processes'] : faults;
}

function statusFaults(status: string, expected: ReadonlyMap<string, string>): string[] {
  const lines = new Map(
    status.split('\n').map((line): [string, string] => {
      const [name = '', value = ''] = line.split(':', 2);
      return [
        name,
        value
          .trim()
          .replaceAll(/\s+/g, ' ')
          .replace(/^0+(?=[0-9a-f])/, ''),
      ];
    }),
  );
  return [...expected]
    .filter(([name, value]) => lines.get(name) !== value)
    .map(([name, value]) => `${name} is ${lines.get(name) ?? 'absent'}, not ${value || 'empty'}`);
}
