// Check of the probes at work: it attaches the agent's own, and starts a program and a connection for
// them to see.
import { symlink } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sleep } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import type { ProbeEvent } from '#probes/events.ts';
import { startProbes, type ProbesStatus } from '#probes/probes.ts';
import { fail, pass, type Check } from './check.ts';
import type { Context } from './context.ts';
import { whereWanted } from './tracing.ts';

/** Attaching takes two seconds, on a machine that is loaded with something else many. */
const GIVE_UP_MS = 30_000;
const PROBES_LIMIT_MS = GIVE_UP_MS + 10_000;
const TRIGGER_EVERY_MS = 200;

const probes: Check = {
  id: 'probes',
  title: 'probes at work',
  explanation: {
    looksAt:
      'Attaches the agent’s own probes, starts a program and opens a connection on loopback, and waits for its exec, connect, accept and close.',
    neededFor: 'An attached probe that sees nothing would look like a quiet node.',
    usualCause:
      'The process lacks CAP_BPF or CAP_PERFMON, seccomp forbids bpf(2), or the kernel is locked down.',
    remedy:
      'Run as root with both capabilities; in Kubernetes add them to the securityContext and use a seccomp profile that allows bpf and perf_event_open.',
  },
  exit: EXIT.missing,
  needs: ['root', 'btf', 'tracefs', 'bpftrace'],
  limitMs: PROBES_LIMIT_MS,
  run: async (context, signal) => {
    const { usualCause, remedy } = probes.explanation;
    const startedMs = context.clock.monoMs();
    const { missing, status } = await trial(context, signal);
    const tookMs = Math.round(context.clock.monoMs() - startedMs);
    if (status.state === 'degraded') {
      return fail(status.reason ?? 'they cannot be attached', usualCause, status.remedy ?? remedy);
    }
    return missing.length === 0
      ? pass(`exec, connect, accept and close of this check were seen, ${tookMs} ms in all`)
      : fail(`attached, but no ${missing.join(', no ')} event came`, usualCause, remedy);
  },
};

/** What a probe tells of a path (probes/events.ts). */
const MAX_PATH_CHARS = 127;

const WANTED = ['exec', 'connect', 'accept', 'close'] as const;

interface Trial {
  readonly missing: readonly string[];
  readonly status: ProbesStatus;
}

/** Gives the probes something to see until they have seen all of it, or are known not to. */
async function trial(context: Context, signal: AbortSignal): Promise<Trial> {
  const { clock, run } = context;
  const program = join(await context.scratch(), 'probed');
  await symlink('/bin/true', program);
  await using server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const seen = new Set<string>();
  const attached = startProbes({
    enabled: true,
    pods: () => [],
    inbound: 'refuse',
    run,
    clock,
    random: Math.random,
    log: () => undefined, // the status is what is judged
    signal,
    onEvent: (event) => {
      if (isOfTrial(event, program, port)) seen.add(event.kind);
    },
  });
  const missing = (): string[] => WANTED.filter((kind) => !seen.has(kind));
  const deadline = clock.monoMs() + GIVE_UP_MS;
  try {
    while (missing().length > 0 && clock.monoMs() < deadline && !signal.aborted) {
      if (attached.status().state === 'degraded') break;
      await Promise.all([run([program]), connection(port)]);
      await sleep(clock, TRIGGER_EVERY_MS, signal);
    }
    return { missing: missing(), status: attached.status() };
  } finally {
    await attached.close();
  }
}

function isOfTrial(event: ProbeEvent, program: string, port: number): boolean {
  switch (event.kind) {
    case 'exec':
      return event.path === program.slice(0, MAX_PATH_CHARS);
    case 'connect':
      return event.destination.port === port;
    case 'accept':
    case 'close':
      return event.local.port === port;
    case 'bypass':
      return false;
  }
}

/** One connection from beginning to end. */
const connection = (port: number): Promise<void> =>
  new Promise((resolve) => {
    connect(port, '127.0.0.1')
      .on('error', () => undefined) // reset by the server: it was seen all the same
      .on('close', () => resolve())
      .resume();
  });

export const PROBE_CHECKS: readonly Check[] = [whereWanted(probes)];
