// Traces that run: processes with the shared memory of an agent mapped, and the lane listener. They are
// of this node when they live in the network namespace of this command.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { TidelockError } from '#agent/base/errors.ts';
import { holderOf, listening } from '#agent/listeners.ts';
import type { Trace } from './trace.ts';

/** Name of the replay set's and the counters' memory in /proc/PID/maps (memfd_create(2)). */
const MEMORY = '/memfd:tidelock-';

/** Control planes and data planes of this node, running or left behind. */
export async function processTraces(): Promise<readonly Trace[]> {
  const own = await readlink('/proc/self/ns/net');
  const pids = (await readdir('/proc')).filter((name) => /^[1-9]\d*$/.test(name));
  const found: Trace[] = [];
  for (const pid of pids) {
    const netns = await readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
    if (netns !== own) continue;
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    if (maps.includes(MEMORY)) found.push(processTrace(Number(pid)));
  }
  return found.length > 0 ? found : [absentProcess];
}

const OF = { kind: 'process', what: 'agent or data plane' } as const;

const absentProcess: Trace = {
  ...OF,
  where: 'this node',
  presence: 'absent',
  remove: () => Promise.resolve(),
};

const processTrace = (pid: number): Trace => ({
  ...OF,
  where: `pid ${pid}`,
  presence: 'there',
  remove: () => endProcess(pid),
});

/** The lane port goes with the process that listens on it. */
export async function listenerTrace(address: string, port: number): Promise<Trace> {
  const taken = (await listening()).find((each) => each.port === port && each.address === address);
  const pid = taken && (await holderOf(taken.inode));
  return {
    kind: 'listener',
    what: 'lane port',
    where: `${address} port ${port}`,
    presence: taken ? 'there' : 'absent',
    ...(taken ? { note: pid === undefined ? 'held by no process seen here' : `pid ${pid}` } : {}),
    remove: () => Promise.resolve(),
  };
}

/** A graceful end waits for live lanes. */
const TERM_MS = 20_000;
const KILL_MS = 5_000;
const POLL_MS = 50;

/** SIGTERM, then SIGKILL. Errors: PROCESS_TIMEOUT. */
async function endProcess(pid: number): Promise<void> {
  const startedAt = await startOf(pid);
  if (startedAt === undefined) return;
  for (const [signal, limitMs] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return; // it ended meanwhile
    }
    if (await isGone(pid, startedAt, limitMs)) return;
  }
  throw new TidelockError('PROCESS_TIMEOUT', {
    op: 'uninstall.end',
    message: `Cannot end process ${pid}: it is still there after SIGKILL`,
    hint: 'It hangs in the kernel; look at /proc/PID/stack, and restart the machine if nothing else helps.',
  });
}

async function isGone(pid: number, startedAt: string, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    if ((await startOf(pid)) !== startedAt) return true;
    await pause(POLL_MS);
  }
  return false;
}

/** Start time in clock ticks, which tells a process from a later one with its pid; undefined when gone. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // proc_pid_stat(5)
  return state === 'Z' ? undefined : fields[18];
}
