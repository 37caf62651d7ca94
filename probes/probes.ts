// The probes of this node as one thing: events as they happen, the last ones, and how well it sees. It
// decides nothing and blocks nothing, and no failure of tracing is a failure of the agent.
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '#agent/base/clock.ts';
import type { ErrorCode } from '#agent/base/codes.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { BypassLog, type PodBypasses } from './bypassLog.ts';
import { BypassWindow } from './bypassWindow.ts';
import { diagnose, thisMachine, type Machine } from './diagnosis.ts';
import { PROBE_KINDS, type BypassEvent, type ProbeEvent, type ProbeKind } from './events.ts';
import { Gaps, type Gap } from './gaps.ts';
import { readLine } from './line.ts';
import { Namer, type ProbedPod } from './naming.ts';
import { partsFor, probeProgram, type BpftraceVersion } from './program.ts';
import { Runner, type RunnerState } from './runner.ts';
import { bpftraceVersion, spawnBpftrace, type SpawnTracer } from './tracer.ts';
import { Watch } from './watch.ts';

/** `debug` to `error` of the agent's log. */
export type ProbesLog = (
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: { readonly text: string; readonly error?: TidelockError },
) => void;

export interface ProbesOptions {
  /** False: nothing is started, and the state is `off`. */
  readonly enabled: boolean;
  /** The pods of this node now; asked a few times a second at most. */
  readonly pods: () => readonly ProbedPod[];
  /** `refuse` where captured pods refuse all plaintext from outside (`lanes.inbound`). */
  readonly inbound: 'refuse' | 'plain';
  /** Starts a program in each captured pod, by which the kernel learns of it (pods.bt). */
  readonly run: Run;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ProbesLog;
  readonly signal: AbortSignal;
  /** Each event, in order; must not throw. */
  readonly onEvent?: (event: ProbeEvent) => void;
  /** Inode of the node's network namespace; that of this process by default. */
  readonly nodeNetns?: number;
  readonly spawn?: SpawnTracer;
  /** Asked before each start. */
  readonly version?: () => BpftraceVersion | undefined;
  readonly machine?: Machine;
}

export interface ProbesStatus {
  /** `degraded`: nothing is seen now; `reason` and `remedy` say why, and it is tried again. */
  readonly state: 'starting' | 'running' | 'degraded' | 'off';
  readonly code?: ErrorCode;
  readonly reason?: string;
  readonly remedy?: string;
  /** Since the agent started, on this node and in its pods; of bypasses the packets. */
  readonly events: Readonly<Record<ProbeKind, number>>;
  /** Seen in network namespaces that are neither the node's nor of one of its pods. */
  readonly elsewhere: number;
  /** Seen by the kernel and lost on the way, because bpftrace was not fast enough. */
  readonly lost: number;
  /** Counted and not told one by one: over the budget of a kind and namespace (heartbeat.bt). */
  readonly limited: number;
  /** Lines that made no sense. */
  readonly unreadable: number;
  readonly restarts: number;
  /** When nothing was seen, the last 20 times, oldest first; the start of the agent is one. */
  readonly gaps: readonly Gap[];
  /** Captured pods, `namespace/name`, whose packets nobody looks at: a bypass of theirs would go unseen. */
  readonly unwatched: readonly string[];
  /** Memory of bpftrace while it runs. */
  readonly rssBytes?: number;
}

export interface Probes {
  status(): ProbesStatus;
  /** Each pod that went past its redirect, the one that was quiet the longest first. */
  bypasses(): readonly PodBypasses[];
  /** Ends bpftrace and waits for it. */
  close(): Promise<void>;
}

/** Starts the probes. Never throws: what keeps them from running is their status. */
export function startProbes(options: ProbesOptions): Probes {
  const probes = new NodeProbes(options);
  if (options.enabled && !options.signal.aborted) {
    probes.start();
    options.signal.addEventListener('abort', () => void probes.close(), { once: true });
  }
  return probes;
}

class NodeProbes implements Probes {
  readonly #o: ProbesOptions;
  readonly #runner: Runner;
  readonly #namer: Namer;
  readonly #window: BypassWindow;
  readonly #watch: Watch;
  readonly #gaps: Gaps;
  readonly #bypasses = new BypassLog();
  readonly #events = Object.fromEntries(PROBE_KINDS.map((kind) => [kind, 0])) as Record<
    ProbeKind,
    number
  >;
  #started = false;
  #elsewhere = 0;
  #lost = 0;
  #unreadable = 0;
  /** Of tracers that have ended, and of the one that runs. */
  #limited = { past: 0, now: 0 };
  #untold: ReadonlyMap<number, number> = new Map();
  #told: string | undefined;

  constructor(options: ProbesOptions) {
    this.#o = options;
    const { clock, random, pods, inbound, run, nodeNetns = ownNetns() } = options;
    const { spawn = spawnBpftrace, version = bpftraceVersion, machine = thisMachine } = options;
    this.#namer = new Namer({ pods, nodeNetns, clock });
    this.#window = new BypassWindow(clock, (event) => this.#tell(event));
    this.#watch = new Watch({ pods, run, clock });
    this.#gaps = new Gaps(clock);
    const parameters = [nodeNetns, process.pid, inbound === 'plain' ? 1 : 0].map(String);
    this.#runner = new Runner({
      start: () => spawn(probeProgram(partsFor(version())), parameters),
      diagnose: (failure) => diagnose(failure, machine),
      onLine: (line) => this.#heard(line),
      onOverlong: () => {
        this.#unreadable += 1;
      },
      onState: (state) => this.#became(state),
      clock,
      random,
    });
  }

  start(): void {
    this.#started = true;
    this.#gaps.opened('the agent started');
    this.#runner.start();
  }

  status(): ProbesStatus {
    const { state } = this.#runner;
    const problem = state.kind === 'degraded' ? state.problem : undefined;
    const rssBytes = state.kind === 'running' ? rssOf(state.pid) : undefined;
    return {
      state: !this.#started || state.kind === 'closed' ? 'off' : state.kind,
      ...(problem && { code: problem.code, reason: problem.message, remedy: problem.hint }),
      events: { ...this.#events },
      elsewhere: this.#elsewhere,
      lost: this.#lost,
      limited: this.#limited.past + this.#limited.now,
      unreadable: this.#unreadable,
      restarts: this.#runner.restarts,
      gaps: this.#gaps.all(),
      unwatched: this.#watch.missing().map(({ namespace, name }) => `${namespace}/${name}`),
      ...(rssBytes !== undefined && { rssBytes }),
    };
  }

  bypasses(): readonly PodBypasses[] {
    return this.#bypasses.pods();
  }

  async close(): Promise<void> {
    if (this.#started) await this.#runner.close();
  }

  #heard(text: string): boolean {
    const line = readLine(text);
    switch (line.kind) {
      case 'heartbeat':
        this.#gaps.seen();
        this.#watch.tick();
        this.#window.flush();
        return true;
      case 'lost':
        this.#lost += line.count;
        break;
      case 'limited':
        this.#limited.now = line.total;
        break;
      case 'untold':
        this.#countUntold(line.byNetns);
        break;
      case 'watched':
        this.#watch.learned(line.netns, line.devices);
        break;
      case 'unreadable':
        this.#unreadable += 1;
        break;
      case 'sighting': {
        const named = this.#namer.name(line.sighting);
        if (named === 'elsewhere') this.#elsewhere += 1;
        else if (named !== 'lawful') this.#happened(named);
        break;
      }
      case 'other':
        break;
    }
    return false;
  }

  #happened(event: ProbeEvent): void {
    this.#events[event.kind] += 1;
    if (event.kind === 'bypass') {
      this.#bypasses.count(event.where, 1);
      this.#window.add(event);
    } else {
      this.#tell(event);
    }
  }

  /** What was over the budget since the last time, of pods that are still captured. */
  #countUntold(byNetns: ReadonlyMap<number, number>): void {
    for (const [netns, total] of byNetns) {
      const where = this.#namer.capturedPod(netns);
      const packets = total - (this.#untold.get(netns) ?? 0);
      if (!where || packets <= 0) continue;
      this.#events.bypass += packets;
      this.#bypasses.countUntold(where, packets);
    }
    this.#untold = byNetns;
  }

  #tell(event: ProbeEvent): void {
    if (event.kind === 'bypass') {
      this.#bypasses.keep(event);
      this.#o.log('error', 'probes.bypass', { text: bypassText(event) });
    }
    this.#o.onEvent?.(event);
  }

  /** Says each change once, however often the same failure comes back. */
  #became(state: RunnerState): void {
    if (state.kind === 'degraded') {
      this.#gaps.opened(state.problem.message);
      this.#watch.forget();
      this.#untold = new Map();
      this.#limited = { past: this.#limited.past + this.#limited.now, now: 0 };
      if (this.#told === state.problem.message) return;
      this.#told = state.problem.message;
      const { message: text } = state.problem;
      this.#o.log('warn', 'probes.degraded', { text, error: state.problem });
    } else if (state.kind === 'running') {
      this.#told = undefined;
      this.#o.log('info', 'probes.running', { text: 'probes see this node' });
    }
  }
}

/** A bypass in one sentence for people. */
export function bypassText(event: BypassEvent): string {
  const { where, direction, raw, remote, local, process, count } = event;
  const pod = `${where.namespace}/${where.name}`;
  const hidden = remote.address === '0.0.0.0' && remote.port === 0;
  const peer = hidden ? 'an address it hides' : `${bracketed(remote.address)}:${remote.port}`;
  const way = raw ? ' by a packet socket' : '';
  const who = process ? ` (${process.comm}, pid ${process.pid})` : '';
  const times = count > 1 ? `, ${count} packets` : '';
  return direction === 'out'
    ? `${pod} goes past its redirect${way} to ${peer}${who}${times}`
    : `${pod} answers ${peer} on port ${local.port} past its agent${times}`;
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** Of the thread that asks: the main thread may be inside a pod at some other moment. */
const ownNetns = (): number => statSync('/proc/thread-self/ns/net').ino;

/** Resident memory of a process (proc_pid_status(5)), or undefined when it is gone. */
function rssOf(pid: number | undefined): number | undefined {
  try {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}
