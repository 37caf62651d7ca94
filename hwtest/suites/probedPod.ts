// A pod and the world outside it as two namespaces joined by a veth, looked at by real bpftrace. The veth's
// other end is in a namespace of its own: the node of these suites. This process stays outside both.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '#agent/base/run.ts';
import type { BypassEvent, ProbeEvent, ProbeKind } from '#probes/events.ts';
import { startProbes, type Probes, type ProbesOptions } from '#probes/probes.ts';
import type { SpawnTracer } from '#probes/tracer.ts';
import { OUTSIDE4, OUTSIDE6, POD4, POD6 } from './frames.ts';
import { quietProbes, withTracefs } from './tracing.ts';

export const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);
export const FOUND_WITHIN_MS = 5_000;
export const WHERE = { kind: 'pod', uid: 'uid-1', namespace: 'default', name: 'client' } as const;

/** What was found, and how long it took to come. */
export interface Found<K extends ProbeKind> {
  readonly event: Extract<ProbeEvent, { kind: K }>;
  readonly afterMs: number;
}

export interface ProbedPod extends AsyncDisposable {
  /** Names of the namespaces. */
  readonly pod: string;
  readonly outside: string;
  readonly netnsPath: string;
  /** MAC addresses of the two ends, as hex. */
  readonly podMac: string;
  readonly outsideMac: string;
  readonly probes: Probes;
  readonly seen: readonly ProbeEvent[];
  tracerPid(): number;
  /** Errors: RangeError when it does not hold within that time. */
  until(what: string, holds: () => boolean, timeoutMs?: number): Promise<void>;
  /** The first event of a kind that passes. Errors: RangeError when none comes in time. */
  event<K extends ProbeKind>(
    kind: K,
    wanted: (event: Extract<ProbeEvent, { kind: K }>) => boolean,
  ): Promise<Found<K>>;
  /** The bypasses seen to an address and port. */
  bypassesTo(address: string, port: number): BypassEvent[];
  /** Echoes one connection to a port of the pod, from when it returns. */
  listen(port: number): Promise<ChildProcess>;
}

/** An argument vector that runs another in a named namespace. */
export const inside = (netns: string, ...argv: string[]): [string, ...string[]] => [
  'ip',
  'netns',
  'exec',
  netns,
  ...argv,
];

/** `ip` with these arguments. */
export const ip = (...args: string[]): Promise<unknown> => run(['ip', ...args]);

/** Makes both namespaces, and starts the probes and waits until they watch the pod. */
export async function probedPod(
  name: string,
  change: Partial<ProbesOptions> = {},
): Promise<ProbedPod> {
  const pod = `${name}${process.pid}pod`;
  const outside = `${name}${process.pid}out`;
  const netnsPath = `/run/netns/${pod}`;
  const seen: ProbeEvent[] = [];
  let tracerPid = 0;
  await joined(pod, outside);
  const spawnKnown: SpawnTracer = (...args) => {
    const tracer = withTracefs(...args);
    tracerPid = tracer.pid ?? 0;
    return tracer;
  };
  const { kind: _kind, ...names } = WHERE;
  const netnsInode = statSync(netnsPath).ino;
  const probes = startProbes({
    ...quietProbes(spawnKnown),
    pods: () => [{ ...names, netnsInode, netnsPath, captured: true }],
    nodeNetns: statSync(`/run/netns/${outside}`).ino,
    onEvent: (event) => seen.push(event),
    ...change,
  });
  const until: ProbedPod['until'] = async (what, holds, timeoutMs = FOUND_WITHIN_MS) => {
    const deadline = performance.now() + timeoutMs;
    while (!holds()) {
      const { state, reason, remedy } = probes.status();
      if (performance.now() > deadline) {
        throw new RangeError(`not within ${timeoutMs} ms: ${what} (${state} ${reason} ${remedy})`);
      }
      await pause(10);
    }
  };
  const place: ProbedPod = {
    pod,
    outside,
    netnsPath,
    podMac: macIn(pod, 'eth0'),
    outsideMac: macIn(outside, 'v0'),
    probes,
    seen,
    tracerPid: () => tracerPid,
    until,
    event: async (kind, wanted) => {
      const fromMs = performance.now();
      let found: Found<typeof kind>['event'] | undefined;
      const find = (): boolean => {
        found = seen.filter((each) => isOf(each, kind)).find((each) => wanted(each));
        return found !== undefined;
      };
      await until(`an event ${kind}`, find);
      if (!found) throw new RangeError('it was there before');
      return { event: found, afterMs: performance.now() - fromMs };
    },
    bypassesTo: (address, port) =>
      seen
        .filter((each) => isOf(each, 'bypass'))
        .filter(({ remote }) => remote.address === address && remote.port === port),
    listen: async (port) => {
      const [command, ...args] = inside(
        pod,
        'socat',
        `TCP-LISTEN:${port},reuseaddr,fork,backlog=128`,
        'PIPE',
      );
      const server = spawn(command, args);
      await until('a listener', () => listens(pod, port));
      return server;
    },
    [Symbol.asyncDispose]: async () => {
      await probes.close();
      for (const each of [pod, outside]) {
        await run(['ip', 'netns', 'del', each], { okCodes: ANY_CODE });
      }
    },
  };
  try {
    await until('running', () => probes.status().state === 'running', 60_000);
    await until('watched', () => probes.status().unwatched.length === 0);
    return place;
  } catch (thrown) {
    await place[Symbol.asyncDispose]();
    throw thrown;
  }
}

const isOf = <K extends ProbeKind>(
  event: ProbeEvent,
  kind: K,
): event is Extract<ProbeEvent, { kind: K }> => event.kind === kind;

/** Two namespaces, `eth0` of the one joined to `v0` of the other, with addresses of frames.ts. */
async function joined(pod: string, outside: string): Promise<void> {
  for (const name of [pod, outside]) await ip('netns', 'add', name);
  const peer = ['peer', 'name', 'v0', 'netns', outside];
  await ip('-n', pod, 'link', 'add', 'eth0', 'type', 'veth', ...peer);
  for (const [netns, device, v4, v6] of [
    [pod, 'eth0', POD4, POD6],
    [outside, 'v0', OUTSIDE4, OUTSIDE6],
  ] as const) {
    await ip('-n', netns, 'addr', 'add', `${v4}/24`, 'dev', device);
    await ip('-n', netns, 'addr', 'add', `${v6}/64`, 'dev', device, 'nodad');
    for (const each of ['lo', device]) await ip('-n', netns, 'link', 'set', each, 'up');
  }
}

const textIn = (netns: string, ...argv: string[]): string => {
  const [command, ...args] = inside(netns, ...argv);
  return execFileSync(command, args).toString('latin1');
};

const macIn = (netns: string, device: string): string =>
  textIn(netns, 'cat', `/sys/class/net/${device}/address`).trim().replaceAll(':', '');

/** Whether something in a namespace listens on a port. */
function listens(netns: string, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const tables = textIn(netns, 'cat', '/proc/net/tcp', '/proc/net/tcp6');
  return new RegExp(`:${hex} [0-9A-F]+:0000 0A `).test(tables);
}
