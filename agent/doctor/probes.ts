// Checks of bpftrace: that it is there, and that it sees what it must. The second really attaches
// probes, and starts a program and a connection of its own for them to see.
import { symlink } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT } from '#agent/base/codes.ts';
import { fail, pass, warn, type Check } from './check.ts';
import type { Context } from './context.ts';
import { installing, missingPrograms } from './programs.ts';

/** The version that the probes were written for. */
const TESTED = [0, 17] as const;

const bpftrace: Check = {
  id: 'bpftrace',
  title: 'bpftrace',
  explanation: {
    looksAt: 'Whether bpftrace is on the PATH, and its version.',
    neededFor: 'Probes: which pod starts what, connects where, and talks past its lanes.',
    usualCause: 'The package bpftrace is not installed.',
    remedy: installing(['bpftrace']),
  },
  exit: EXIT.missing,
  needs: [],
  run: async (context) => {
    const { usualCause, remedy } = bpftrace.explanation;
    const missing = await missingPrograms(['bpftrace'], context.env);
    if (missing.length > 0) return fail('bpftrace not on the PATH', usualCause, remedy);
    const { stdout } = await context.run(['bpftrace', '--version']);
    const text = stdout.toString().trim();
    const [, major, minor] = /v(\d+)\.(\d+)/.exec(text) ?? [];
    const old = Number(major) === TESTED[0] && Number(minor) < TESTED[1];
    return old
      ? warn(
          `${text}, older than ${TESTED.join('.')}`,
          'An old distribution.',
          'Install a newer one.',
        )
      : pass(text);
  },
};

/** Attaching takes half a second; a loaded machine several. */
const PROBES_LIMIT_MS = 15_000;
const GIVE_UP_S = 10;
const TRIGGER_EVERY_MS = 200;

const probes: Check = {
  id: 'probes',
  title: 'probes at work',
  explanation: {
    looksAt:
      'Attaches tracepoints with bpftrace, starts a program and opens a connection on loopback, and waits for both events.',
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
    const seen = await seenByProbes(context, signal);
    const missing = ['exec', 'connect'].filter((event) => !seen.has(event));
    const tookMs = Math.round(context.clock.monoMs() - startedMs);
    return missing.length === 0
      ? pass(`a program and a connection of this check were seen, ${tookMs} ms in all`)
      : fail(`attached, but no ${missing.join(' and no ')} event came`, usualCause, remedy);
  },
};

/** Events that the probes told of, by name. Errors: PROCESS_FAILED when they cannot be attached. */
async function seenByProbes(context: Context, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const program = join(await context.scratch(), 'probed');
  await symlink('/bin/true', program);
  await using server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = new AbortController();
  const triggering = trigger(context, program, port, AbortSignal.any([signal, stop.signal]));
  try {
    const { stdout } = await context.run(['bpftrace', '-f', 'json', '-e', tracing(program, port)], {
      signal,
      env: { BPFTRACE_STRLEN: '200' },
    });
    return new Set(Array.from(String(stdout).matchAll(/"@(\w+)": 1\b/g), ([, name = '']) => name));
  } finally {
    stop.abort();
    await triggering;
  }
}

/** Ends as soon as both have been seen. */
const tracing = (program: string, port: number): string => `
tracepoint:sched:sched_process_exec /str(args->filename) == "${program}"/ { @exec = 1; }
tracepoint:sock:inet_sock_set_state /args->newstate == 2 && args->dport == ${port}/ { @connect = 1; }
interval:ms:50 /@exec == 1 && @connect == 1/ { exit(); }
interval:s:${GIVE_UP_S} { exit(); }
`;

async function trigger(
  { run }: Context,
  program: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined); // reset by the server: it was seen all the same
    await run([program]);
    await pause(TRIGGER_EVERY_MS);
    socket.destroy();
  }
}

export const PROBE_CHECKS: readonly Check[] = [bpftrace, probes];
