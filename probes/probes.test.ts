// The whole of the probes, with a tracer and time that do what a test says.
import { describe, expect, test } from 'vitest';
import type { ProbeEvent } from './events.ts';
import { bypassText, startProbes, type Probes, type ProbesOptions } from './probes.ts';
import { FakeTracers, settled, StepClock } from './tracer.fixture.ts';

const NODE = 100;
const POD = 200;
const MACHINE = { exists: () => true, capabilities: () => (1n << 41n) - 1n };

interface Started {
  readonly probes: Probes;
  readonly tracers: FakeTracers;
  readonly clock: StepClock;
  readonly told: ProbeEvent[];
  readonly log: string[];
  readonly ran: string[];
  readonly stop: AbortController;
}

function started(change: Partial<ProbesOptions> = {}): Started {
  const tracers = new FakeTracers();
  const clock = new StepClock();
  const told: ProbeEvent[] = [];
  const log: string[] = [];
  const ran: string[] = [];
  const stop = new AbortController();
  const probes = startProbes({
    enabled: true,
    pods: () => [
      {
        uid: 'u',
        namespace: 'default',
        name: 'client',
        netnsInode: POD,
        netnsPath: '/pod',
        captured: true,
      },
    ],
    inbound: 'refuse',
    run: async (argv) => {
      ran.push(argv.join(' '));
      return { code: 0, stdout: Buffer.alloc(0), stderr: '' };
    },
    clock,
    random: () => 0,
    log: (level, event, { text }) => log.push(`${level} ${event} ${text}`),
    signal: stop.signal,
    onEvent: (event) => told.push(event),
    nodeNetns: NODE,
    spawn: tracers.spawn,
    version: () => [0, 17],
    machine: MACHINE,
    ...change,
  });
  return { probes, tracers, clock, told, log, ran, stop };
}

const EXEC = ['exec', POD, 5, 1, 0, 'sh', '/bin/sh'];
const CONNECT = ['connect', POD, 77, POD, 5, 'curl', '::ffff:10.0.0.9', 443];
const BYPASS = ['bypass', POD, 2, 0, 77, 0, 1, 'x', '10.0.0.2', 4000, '10.0.0.9', 443];

describe('startProbes()', () => {
  test('gives the tracer every probe, the node, the agent, and whether plaintext is let in', () => {
    const { tracers } = started();
    expect(tracers.newest.program).toContain('sched_process_exec');
    expect(tracers.newest.program).toContain('interval:ms:500');
    expect(tracers.newest.args).toEqual([String(NODE), String(process.pid), '0']);
    const plain = started({ inbound: 'plain' }).tracers.newest;
    expect(plain.args).toEqual([String(NODE), String(process.pid), '1']);
  });

  test('tells events in order and counts each kind', () => {
    const { probes, tracers, told, log } = started();
    expect(probes.status().state).toBe('starting');
    tracers.newest.beat();
    tracers.newest.print(EXEC, CONNECT, BYPASS, ['exec', 999, 5, 1, 0, 'sh', '/bin/sh']);
    expect(told.map(({ kind }) => kind)).toEqual(['exec', 'connect', 'bypass']);
    expect(told[2]).toMatchObject({ process: { pid: 5, comm: 'curl' } });
    expect(probes.bypasses()).toMatchObject([
      { where: { uid: 'u' }, packets: 1, untold: 0, last: told.slice(2) },
    ]);
    expect(probes.status()).toMatchObject({
      state: 'running',
      events: { exec: 1, connect: 1, accept: 0, close: 0, bypass: 1 },
      elsewhere: 1,
      lost: 0,
      limited: 0,
      unreadable: 0,
      restarts: 0,
    });
    expect(log).toEqual([
      'info probes.running probes see this node',
      'error probes.bypass default/client goes past its redirect to 10.0.0.9:443 (curl, pid 5)',
    ]);
  });

  test('counts what was lost, limited and unreadable, over restarts too', async () => {
    const { probes, tracers, clock } = started();
    const over = (total: number): string => `{"type": "map", "data": {"@over": {"1": ${total}}}}\n`;
    tracers.newest.beat();
    tracers.newest.say(`{"type": "lost_events", "data": {"events": 4}}\n${over(3)}${over(5)}`);
    tracers.newest.say(`garbage\n${'x'.repeat(10_000)}\n`);
    await tracers.newest.die('');
    await clock.step(30_000);
    tracers.newest.beat();
    tracers.newest.say(`{"type": "lost_events", "data": {"events": 1}}\n${over(2)}`);
    expect(probes.status()).toMatchObject({ lost: 5, limited: 7, unreadable: 2, restarts: 1 });
  });

  test('is degraded with code, reason and remedy, says so once, and recovers', async () => {
    const { probes, tracers, clock, log } = started();
    for (let i = 0; i < 3; i += 1) {
      await tracers.newest.die('', { spawnErrno: 'ENOENT' });
      await clock.step(30_000);
    }
    expect(probes.status()).toMatchObject({
      state: 'degraded',
      code: 'PROBES_UNAVAILABLE',
      reason: 'Cannot start probes: bpftrace is not installed',
      remedy: 'Install the Debian package bpftrace, or set probes.enabled to false.',
      restarts: 3,
    });
    tracers.newest.beat();
    expect(probes.status()).toMatchObject({ state: 'running' });
    expect(probes.status()).not.toHaveProperty('reason');
    expect(log).toEqual([
      'warn probes.degraded Cannot start probes: bpftrace is not installed',
      'info probes.running probes see this node',
    ]);
  });

  test('counts what a pod sent and was not told of, over restarts too', async () => {
    const { probes, tracers, clock } = started();
    const untold = (pod: number): string =>
      `{"type": "map", "data": {"@untold": {"${POD}": ${pod}, "999": 5}}}\n`;
    tracers.newest.beat();
    tracers.newest.print(BYPASS);
    tracers.newest.say(`${untold(3)}${untold(3)}${untold(8)}`);
    await tracers.newest.die('');
    await clock.step(30_000);
    tracers.newest.beat();
    tracers.newest.say(untold(2));
    expect(probes.bypasses()).toMatchObject([{ where: { uid: 'u' }, packets: 11, untold: 10 }]);
    expect(probes.bypasses()[0]?.last).toHaveLength(1);
    expect(probes.status().events.bypass).toBe(11);
  });

  test('tells when it saw nothing: since its last sign, until its next, and why', async () => {
    const { probes, tracers, clock } = started();
    const t0 = clock.wallMs();
    expect(probes.status().gaps).toEqual([{ from: t0, reason: 'the agent started' }]);
    await clock.step(2_000);
    tracers.newest.beat();
    expect(probes.status().gaps).toMatchObject([{ from: t0, to: t0 + 2_000 }]);
    await clock.step(400);
    const reason = 'Cannot keep probes running: bpftrace ended with exit code 1';
    await tracers.newest.die('');
    expect(probes.status().gaps.slice(1)).toEqual([{ from: t0 + 2_000, reason }]);
    await clock.step(1_000);
    await tracers.newest.die('');
    await clock.step(1_000);
    const to = clock.wallMs();
    tracers.newest.beat();
    expect(probes.status().gaps.slice(1)).toEqual([{ from: t0 + 2_000, to, reason }]);
  });

  test('makes each captured pod known to each tracer, and tells which is not', async () => {
    const { probes, tracers, clock, ran } = started();
    expect(probes.status().unwatched).toEqual(['default/client']);
    tracers.newest.beat();
    await settled();
    expect(ran).toEqual(['nsenter --net=/pod true']);
    tracers.newest.print(['pod', POD, 1]);
    expect(probes.status().unwatched).toEqual([]);
    await tracers.newest.die('');
    expect(probes.status().unwatched).toEqual(['default/client']);
    await clock.step(1_000);
    tracers.newest.beat();
    await settled();
    expect(ran).toHaveLength(2);
  });

  test('tells a flood of one bypass once a second, and counts each packet', async () => {
    const { probes, tracers, clock, told } = started();
    for (let i = 0; i < 40; i += 1) tracers.newest.print(BYPASS);
    expect(told).toHaveLength(1);
    await clock.step(1_000);
    tracers.newest.beat();
    expect(told).toMatchObject([{ count: 1 }, { count: 39 }]);
    expect(probes.status().events.bypass).toBe(40);
  });

  test('starts nothing when it is not enabled, or was ended before it began', async () => {
    for (const change of [{ enabled: false }, { signal: AbortSignal.abort() }]) {
      const { probes, tracers } = started(change);
      expect(probes.status()).toMatchObject({ state: 'off', restarts: 0 });
      expect(tracers.all).toEqual([]);
      await probes.close();
    }
  });

  test('ends with its signal', async () => {
    const { probes, tracers, clock, stop } = started();
    tracers.newest.beat();
    stop.abort();
    await settled();
    expect(tracers.newest.signals).toEqual(['SIGTERM']);
    expect(probes.status().state).toBe('off');
    await clock.step(600_000);
    expect(tracers.all).toHaveLength(1);
    await probes.close();
  });
});

test('bypassText() says who went where, how often, and by which program', () => {
  const event = {
    kind: 'bypass',
    at: 0,
    where: { kind: 'pod', uid: 'u', namespace: 'n', name: 'p' },
    direction: 'out',
    raw: false,
    local: { address: 'fd00::2', port: 4000 },
    remote: { address: 'fd00::1', port: 443 },
    count: 3,
  } as const;
  expect(bypassText(event)).toBe('n/p goes past its redirect to [fd00::1]:443, 3 packets');
  const raw = { ...event, raw: true, process: { pid: 5, comm: 'x' }, count: 1 };
  expect(bypassText(raw)).toBe(
    'n/p goes past its redirect by a packet socket to [fd00::1]:443 (x, pid 5)',
  );
  expect(bypassText({ ...raw, remote: { address: '0.0.0.0', port: 0 } })).toBe(
    'n/p goes past its redirect by a packet socket to an address it hides (x, pid 5)',
  );
  expect(bypassText({ ...event, direction: 'in', count: 1 })).toBe(
    'n/p answers [fd00::1]:443 on port 4000 past its agent',
  );
});
