// Real bpftrace on a real kernel: a pod and the world outside it as two namespaces joined by a veth, and
// two ways past a redirect. This process stays outside both; tracefs is mounted for bpftrace alone.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import type { BypassEvent, ProbeEvent, ProbeKind } from '#probes/events.ts';
import { startProbes, type Probes } from '#probes/probes.ts';
import type { SpawnTracer } from '#probes/tracer.ts';
import { loadRules } from '#proxy/redirect/nftables.ts';
import { quietProbes, withTracefs } from './tracing.ts';
import { report } from './twoNodes.ts';

const POD = `tlp${process.pid}pod`;
const OUTSIDE = `tlp${process.pid}out`;
const POD_IP = '10.78.0.2';
const OUTSIDE_IP = '10.78.0.1';
const OUTSIDE_IP6 = 'fd78::1';
const POD_IP6 = 'fd78::2';
const FOUND_WITHIN_MS = 5_000;
const WHERE = { kind: 'pod', uid: 'uid-1', namespace: 'default', name: 'client' } as const;

/** PACKET_QDISC_BYPASS of SOL_PACKET, as socat takes it. */
const JUMP_THE_QUEUE = 'setsockopt-int=263:20:1';

const inside = (netns: string, ...argv: string[]): [string, ...string[]] => [
  'ip',
  'netns',
  'exec',
  netns,
  ...argv,
];
const ip = (...args: string[]): Promise<unknown> => run(['ip', ...args]);
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

const seen: ProbeEvent[] = [];
let tracerPid: number | undefined;
let podMac = '';
let outsideMac = '';
let probes: Probes;

beforeAll(async () => {
  for (const name of [POD, OUTSIDE]) await ip('netns', 'add', name);
  await ip(
    '-n',
    POD,
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'v0',
    'netns',
    OUTSIDE,
  );
  for (const [netns, device, v4, v6] of [
    [POD, 'eth0', POD_IP, POD_IP6],
    [OUTSIDE, 'v0', OUTSIDE_IP, OUTSIDE_IP6],
  ] as const) {
    await ip('-n', netns, 'addr', 'add', `${v4}/24`, 'dev', device);
    await ip('-n', netns, 'addr', 'add', `${v6}/64`, 'dev', device, 'nodad');
    for (const each of ['lo', device]) await ip('-n', netns, 'link', 'set', each, 'up');
  }
  podMac = await mac(POD, 'eth0');
  outsideMac = await mac(OUTSIDE, 'v0');
  const spawnKnown: SpawnTracer = (...args) => {
    const tracer = withTracefs(...args);
    tracerPid = tracer.pid;
    return tracer;
  };
  const { kind: _kind, ...pod } = WHERE;
  const netnsInode = statSync(`/run/netns/${POD}`).ino;
  probes = startProbes({
    ...quietProbes(spawnKnown),
    pods: () => [{ ...pod, netnsInode, captured: true }],
    // The veth's other end is in a namespace of its own here: the node of this suite.
    nodeNetns: statSync(`/run/netns/${OUTSIDE}`).ino,
    onEvent: (event) => seen.push(event),
  });
  const startedMs = performance.now();
  await until('running', () => probes.status().state === 'running', 60_000);
  report(
    `probes attached after ${Math.round(performance.now() - startedMs)} ms, ${mib(probes)} MiB`,
  );
}, 120_000);

afterAll(async () => {
  await probes?.close();
  for (const name of [POD, OUTSIDE]) await run(['ip', 'netns', 'del', name], { okCodes: ANY_CODE });
});

const mib = (of: Probes): number => Math.round((of.status().rssBytes ?? 0) / 1_048_576);

const mac = async (netns: string, device: string): Promise<string> => {
  const { stdout } = await run(inside(netns, 'cat', `/sys/class/net/${device}/address`));
  return stdout.toString().trim().replaceAll(':', '');
};

async function until(what: string, holds: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    const { state, reason, remedy } = probes.status();
    if (performance.now() > deadline) {
      throw new RangeError(`not within ${timeoutMs} ms: ${what} (${state} ${reason} ${remedy})`);
    }
    await pause(10);
  }
}

/** The first event of a kind that passes, and how long it took to come. */
async function event<K extends ProbeKind>(
  kind: K,
  wanted: (event: Extract<ProbeEvent, { kind: K }>) => boolean,
): Promise<{ readonly event: Extract<ProbeEvent, { kind: K }>; readonly afterMs: number }> {
  const fromMs = performance.now();
  const find = (): Extract<ProbeEvent, { kind: K }> | undefined =>
    seen.find(
      (each): each is Extract<ProbeEvent, { kind: K }> =>
        each.kind === kind && wanted(each as Extract<ProbeEvent, { kind: K }>),
    );
  await until(`an event ${kind}`, () => find() !== undefined, FOUND_WITHIN_MS);
  const found = find();
  if (!found) throw new RangeError('it was there before');
  return { event: found, afterMs: performance.now() - fromMs };
}

const ENDS4 = '0a4e00020a4e0001';
const ENDS6 = `fd78${'0'.repeat(24)}0002fd78${'0'.repeat(24)}0001`;

/** A packet up to its TCP header, and how much of that it has: flags are in its 14th byte. */
interface Packet {
  readonly to: string;
  readonly etherType: '0800' | '86dd';
  readonly headers: string;
  readonly tcpBytes: 8 | 20;
}
const IPV4: Packet = {
  to: OUTSIDE_IP,
  etherType: '0800',
  headers: `450000280001400040060000${ENDS4}`,
  tcpBytes: 20,
};
const IPV4_FRAGMENT: Packet = {
  ...IPV4,
  headers: `4500001c0001200040060000${ENDS4}`,
  tcpBytes: 8,
};
const IPV6: Packet = {
  to: OUTSIDE_IP6,
  etherType: '86dd',
  headers: `6000000000140640${ENDS6}`,
  tcpBytes: 20,
};
const IPV6_OPTIONS: Packet = { ...IPV6, headers: `60000000001c3c40${ENDS6}0600010400000000` };
const IPV6_FRAGMENT: Packet = {
  ...IPV6,
  headers: `6000000000102c40${ENDS6}0600000100000001`,
  tcpBytes: 8,
};

/** A SYN from the pod to `port` outside, as an Ethernet frame. */
function syn({ etherType, headers, tcpBytes }: Packet, port: number): Buffer {
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(40_000, 0);
  tcp.writeUInt16BE(port, 2);
  tcp.writeUInt8(5 << 4, 12);
  tcp.writeUInt8(0x02, 13);
  const before = Buffer.from(`${outsideMac}${podMac}${etherType}${headers}`, 'hex');
  return Buffer.concat([before, tcp.subarray(0, tcpBytes)]);
}

const sendFrame = (frame: Buffer, ...options: string[]): Promise<unknown> =>
  run(inside(POD, 'socat', '-u', '-', ['INTERFACE:eth0', ...options].join(',')), { input: frame });

const bypassTo =
  (address: string, port: number) =>
  ({ remote }: BypassEvent): boolean =>
    remote.address === address && remote.port === port;

describe('probes', () => {
  test('exec, connect, accept and close name the pod', async () => {
    const server = listenInPod(7_000);
    try {
      await until('a listener', () => listens(7_000), FOUND_WITHIN_MS);
      await run(inside(POD, 'socat', '-T5', `TCP:${POD_IP}:7000`, '-'), { input: 'x' });
      const exec = await event(
        'exec',
        ({ path, where }) => path.endsWith('socat') && where.kind === 'pod',
      );
      const connect = await event('connect', ({ destination }) => destination.port === 7_000);
      const accept = await event('accept', ({ local }) => local.port === 7_000);
      const closed = await event('close', ({ remote }) => remote.port === 7_000);
      expect(exec.event).toMatchObject({ where: WHERE, comm: 'socat' });
      expect(connect.event).toMatchObject({
        where: WHERE,
        delivery: false,
        process: { comm: 'socat' },
        destination: { address: POD_IP, port: 7_000 },
      });
      expect(accept.event).toMatchObject({ where: WHERE, local: { address: POD_IP, port: 7_000 } });
      expect(closed.event).toMatchObject({
        where: WHERE,
        role: 'connected',
        established: true,
        process: connect.event.process,
      });
    } finally {
      server.kill('SIGKILL');
    }
  });

  test('connect has the destination that was asked for, not the one redirected to', async () => {
    const rules = await loadRules(run, { netnsPath: `/run/netns/${POD}`, inbound: 'refuse' });
    await run(inside(POD, 'socat', '-u', `TCP:${OUTSIDE_IP}:7001,connect-timeout=1`, '-'), {
      okCodes: ANY_CODE, // nothing listens on the in-pod port here
    });
    const { event: asked } = await event(
      'connect',
      ({ destination }) => destination.port === 7_001,
    );
    expect(asked.destination.address).toBe(OUTSIDE_IP);
    expect(seen.filter(({ kind }) => kind === 'bypass')).toEqual([]);
    await rules.remove();
  });

  test('a connection after the rules are gone is a bypass, in and out', async () => {
    const rules = await loadRules(run, { netnsPath: `/run/netns/${POD}`, inbound: 'refuse' });
    await rules.remove();
    const fromMs = performance.now();
    await run(inside(POD, 'socat', '-u', `TCP:${OUTSIDE_IP}:7002`, '-'), { okCodes: ANY_CODE });
    const { event: out } = await event('bypass', bypassTo(OUTSIDE_IP, 7_002));
    report(
      `rules gone: bypass known ${Math.round(performance.now() - fromMs)} ms after the start of the program`,
    );
    expect(out).toMatchObject({ where: WHERE, direction: 'out', process: { comm: 'socat' } });

    const server = listenInPod(7_003);
    try {
      await until('a listener', () => listens(7_003), FOUND_WITHIN_MS);
      await run(inside(OUTSIDE, 'socat', '-T5', `TCP:${POD_IP}:7003`, '-'), { input: 'x' });
      const { event: answer } = await event('bypass', ({ direction }) => direction === 'in');
      expect(answer).toMatchObject({ where: WHERE, local: { address: POD_IP, port: 7_003 } });
    } finally {
      server.kill('SIGKILL');
    }
  });

  const packets = [
    { what: 'IPv4', packet: IPV4, port: 7_010 },
    { what: 'a fragment of IPv4', packet: IPV4_FRAGMENT, port: 7_011 },
    { what: 'IPv6', packet: IPV6, port: 7_012 },
    { what: 'IPv6 with options', packet: IPV6_OPTIONS, port: 7_013 },
    { what: 'a fragment of IPv6', packet: IPV6_FRAGMENT, port: 7_014 },
  ];
  test.each([
    ...packets.map((each) => ({ ...each, way: 'a packet socket', options: [] })),
    ...packets.map((each) => ({
      ...each,
      way: 'a packet socket past the queue',
      options: [JUMP_THE_QUEUE],
      port: each.port + 10,
    })),
  ])('$what by $way is a bypass', async ({ what, packet, port, way, options }) => {
    const rules = await loadRules(run, { netnsPath: `/run/netns/${POD}`, inbound: 'refuse' });
    const fromMs = performance.now();
    await sendFrame(syn(packet, port), ...options);
    const { event: found } = await event('bypass', bypassTo(packet.to, port));
    const tookMs = Math.round(performance.now() - fromMs);
    report(`${what} by ${way}: known ${tookMs} ms after the start of the program`);
    const process = { comm: 'socat' };
    expect(found).toMatchObject({ where: WHERE, direction: 'out', process, count: 1 });
    const all = seen.filter((each) => each.kind === 'bypass' && bypassTo(packet.to, port)(each));
    expect(all).toHaveLength(1);
    await rules.remove();
  });

  test('bpftrace killed comes back', async () => {
    const { restarts } = probes.status();
    process.kill(tracerPid ?? 0, 'SIGKILL');
    const fromMs = performance.now();
    await until('degraded', () => probes.status().state === 'degraded', FOUND_WITHIN_MS);
    expect(probes.status()).toMatchObject({ code: 'PROBES_FAILED' });
    await until('running again', () => probes.status().state === 'running', 30_000);
    report(`bpftrace killed: seeing again after ${Math.round(performance.now() - fromMs)} ms`);
    expect(probes.status()).toMatchObject({
      state: 'running',
      restarts: restarts + 1,
      unreadable: 0,
    });
    await sendFrame(syn(IPV4, 7_030));
    await event('bypass', bypassTo(OUTSIDE_IP, 7_030));
  });

  test('nothing is lost or unreadable, and bpftrace ends with the probes', async () => {
    expect(probes.status()).toMatchObject({ lost: 0, unreadable: 0 });
    const pid = tracerPid ?? 0;
    const fromMs = performance.now();
    await probes.close();
    report(`closed after ${Math.round(performance.now() - fromMs)} ms`);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(probes.status().state).toBe('off');
  });
});

/** Echoes one connection to a port of the pod. */
function listenInPod(port: number): ChildProcess {
  const [command, ...args] = inside(POD, 'socat', `TCP-LISTEN:${port},reuseaddr`, 'PIPE');
  return spawn(command, args);
}

/** Whether something in the pod listens on a port. */
function listens(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const [command, ...args] = inside(POD, 'cat', '/proc/net/tcp', '/proc/net/tcp6');
  const tables = execFileSync(command, args);
  return new RegExp(`:${hex} [0-9A-F]+:0000 0A `).test(tables.toString('latin1'));
}
