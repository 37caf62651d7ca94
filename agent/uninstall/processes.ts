// Traces that run: processes with the shared memory of an agent mapped, and the lane listener. They are
// of this node when they live in the network namespace of this command.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { TidelockError } from '#agent/base/errors.ts';
import { holderOf, isOfTidelock, listening } from '#agent/listeners.ts';
import { identify, isAlive, type ProcessIdentity } from '#proxy/processIdentity.ts';
import type { Trace } from './trace.ts';

/** What an agent consists of while it runs, and by which each is known. */
const PARTS = [
  { what: 'agent or data plane', is: isOfTidelock },
  { what: 'probes (bpftrace)', is: isTracer },
] as const;

/** Control planes, data planes and tracers of this node, running or left behind. */
export async function processTraces(): Promise<readonly Trace[]> {
  const own = await readlink('/proc/self/ns/net');
  const pids = (await readdir('/proc')).filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  // First of all who has each pid: should another have it later, that one is not touched.
  const all = pids.flatMap((pid) => identify(pid) ?? []);
  const netns = await Promise.all(
    all.map(({ pid }) => readlink(`/proc/${pid}/ns/net`).catch(() => undefined)),
  );
  const here = all.filter((_, i) => netns[i] === own);
  const parts = await Promise.all(
    PARTS.map(async ({ what, is }) => {
      const known = await Promise.all(here.map(({ pid }) => is(pid, own)));
      const found = here.filter((_, i) => known[i] === true);
      return found.length > 0 ? found.map((each) => running(what, each)) : [absent(what)];
    }),
  );
  return parts.flat();
}

/** Probes are given the inode of the node's namespace as their argument (probes/tracer.ts). */
async function isTracer(pid: number, netns: string): Promise<boolean> {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return argv[0] === 'bpftrace' && netns === `net:[${argv.at(-2)}]`;
}

const absent = (what: string): Trace => ({
  kind: 'process',
  what,
  where: 'this node',
  presence: 'absent',
  remove: () => Promise.resolve(),
});

const running = (what: string, identity: ProcessIdentity): Trace => ({
  kind: 'process',
  what,
  where: `pid ${identity.pid}`,
  presence: 'there',
  remove: () => endProcess(identity),
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

/** SIGTERM, then SIGKILL, to that process and no later one of its pid. Errors: PROCESS_TIMEOUT. */
export async function endProcess(identity: ProcessIdentity): Promise<void> {
  const { pid } = identity;
  for (const [signal, limitMs] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    if (!isAlive(identity)) return;
    try {
      process.kill(pid, signal);
    } catch {
      return; // it ended meanwhile
    }
    if (await isGone(identity, limitMs)) return;
  }
  throw new TidelockError('PROCESS_TIMEOUT', {
    op: 'uninstall.end',
    message: `Cannot end process ${pid}: it is still there after SIGKILL`,
    hint: 'It hangs in the kernel; look at /proc/PID/stack, and restart the machine if nothing else helps.',
  });
}

async function isGone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    if (!isAlive(identity)) return true;
    await pause(POLL_MS);
  }
  return false;
}
