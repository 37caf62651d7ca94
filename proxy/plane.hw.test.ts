// The supervision and the real process, with workers that answer what they are able to do
// (plane.probe.ts). Everything on loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ChainId, NodeName, Slot } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import type { LaneEvent } from './facts.ts';
import { encodeFrame } from './channel.ts';
import { CONTROL_VERSION } from './control.ts';
import { Counters } from './counters.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { tcpListener, tcpSocket } from '#proxy/native/socket.ts';
import { startDataPlane, type DataPlane, type DataPlaneOptions } from './plane.ts';
import { CRASH_POD, HOLD_POD, POOL_POD, POOL_TARGET, type ProbeAnswer } from './plane.probe.ts';
import { PlaneRecord } from './planeRecord.ts';
import { privilegeFaults } from './privilege.ts';
import { identify } from './processIdentity.ts';
import { ReplaySet } from './replay.ts';
import type { Snapshot } from './snapshot.ts';

const UID = 15_008;
const SETTINGS = { workers: 2, uid: UID, gid: UID, build: 'test' };
const PROBE = fileURLToPath(new URL('./plane.probe.ts', import.meta.url));
const WAIT = { timeout: 30_000, interval: 20 };

interface LogLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface Started {
  readonly plane: DataPlane;
  readonly log: LogLine[];
  readonly events: LaneEvent[];
  readonly counters: Counters;
}

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(changes: Partial<DataPlaneOptions> = {}): Promise<Started> {
  const log: LogLine[] = [];
  const events: LaneEvent[] = [];
  const counters = Counters.create();
  const replay = ReplaySet.create({
    periodMs: 10_000,
    openingsPerPeriod: 100,
    quotaPerSource: 100,
    sources: 4,
  });
  const record = changes.record ?? (await openRecord());
  const plane = startDataPlane({
    nodePath: process.execPath,
    mainPath: PROBE,
    settings: SETTINGS,
    replay,
    counters,
    makeSockets: (_podUid, family, count) => Array.from({ length: count }, () => tcpSocket(family)),
    onEvent: (event) => events.push(event),
    log: (_level, event, fields) => log.push({ event, fields }),
    clock: systemClock,
    random: () => 0,
    staleAfterMs: 60_000,
    record,
    ...changes,
  });
  undo.push(async () => {
    await plane.close();
    record.close();
    closeFd(replay.fd);
    closeFd(counters.fd);
  });
  return { plane, log, events, counters };
}

/** Removed with the test. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidelock-plane-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The record of a run directory of its own. */
function openRecord(): Promise<PlaneRecord> {
  return PlaneRecord.open(newFolder(), { clock: systemClock, log: () => undefined });
}

const running = (plane: DataPlane, restarts = 0): Promise<void> =>
  vi.waitFor(() => expect(plane.status()).toMatchObject({ state: 'running', restarts }), WAIT);

/** A loopback listener served by the data plane. */
function listenFor(plane: DataPlane, podUid: string): number {
  const fd = tcpListener('127.0.0.1', 0);
  const server = createServer().listen({ fd: dupFd(fd) });
  const { port } = server.address() as AddressInfo;
  server.close();
  undo.push(() => closeFd(fd));
  plane.listen({ kind: 'pod', podUid, family: 4 }, fd);
  return port;
}

async function ask(port: number): Promise<ProbeAnswer> {
  let text = '';
  const socket = connect({ host: '127.0.0.1', port });
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text) as ProbeAnswer;
}

interface Held {
  readonly socket: Socket;
  readonly worker: number;
  readonly chainKey: string;
}

/** Connections that stay, as many as it takes until `workers` workers have one. */
async function holdAll(port: number, workers: number): Promise<readonly Held[]> {
  const held: Held[] = [];
  while (new Set(held.map(({ worker }) => worker)).size < workers) {
    const socket = connect({ host: '127.0.0.1', port });
    undo.push(() => socket.destroy());
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.on('error', () => undefined).resume();
    held.push({ socket, ...(JSON.parse(String(answer)) as ProbeAnswer) });
  }
  return held;
}

/** How a connection ends: the code of its error, or `end`. */
async function endOf(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port }).resume();
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('end', () => resolve('end'));
  });
}

const snapshot = (version: number, keyByte: number): Snapshot => ({
  version,
  self: {
    domain: 'example.org',
    cluster: 'c',
    node: 'a' as NodeName,
    sids: [],
    trusted: true,
    reason: '',
  },
  chains: [
    {
      id: '00'.repeat(16) as ChainId,
      generation: 1,
      epoch: 1,
      periodMs: 5000,
      algorithm: 1,
      atSlot: 1 as Slot,
      slot: 1 as Slot,
      key: new Uint8Array(32).fill(keyByte),
    },
  ],
  peers: [],
  pods: [],
  remotes: [],
  policy: { version: 1, defaultAction: 'DENY', rules: [] },
  unmeshed: 'refuse',
});

/** A program that stands in for proxy/main.ts, in a folder of its own. */
function impostor(source: string): Partial<DataPlaneOptions> {
  const folder = newFolder();
  const mainPath = join(folder, 'main.mjs');
  writeFileSync(mainPath, source);
  return { mainPath, appFolder: folder };
}

/** A Node that may start no process and no thread once it is not root: what an impostor cannot tell. */
function barrenNode(): string {
  const path = join(newFolder(), 'node');
  const script = `#!/bin/sh\nexec prlimit --nproc=0 -- '${process.execPath}' "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

const HELLO = `
import { Socket } from 'node:net';
const channel = new Socket({ fd: 3 });
const say = (message) => {
  const header = Buffer.from(JSON.stringify(message));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(header.length);
  channel.write(Buffer.concat([prefix, header]));
};
let heard = 0;
channel.on('data', (data) => { heard += data.length; });
`;

/** What arrives at POOL_TARGET: each probe worker says its index on every socket it was given. */
function serveArrivals(): string[] {
  const arrived: string[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (text) => arrived.push(String(text)));
    socket.on('end', () => socket.end());
  });
  server.listen(POOL_TARGET);
  undo.push(() => server.close());
  return arrived;
}

describe('startDataPlane()', () => {
  test('startDataPlane() runs a process that can neither read, nor spawn, nor become root', async () => {
    const { plane } = await start();
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    expect(await ask(port)).toMatchObject({
      uid: UID,
      readFile: 'ERR_ACCESS_DENIED',
      spawn: 'ERR_ACCESS_DENIED',
      nativeRead: 'EACCES',
      nativeRoot: 'EPERM',
      nativeFork: 'EAGAIN',
    });
    const { pid } = plane.status();
    expect(privilegeFaults(pid, SETTINGS)).toEqual([]);
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    expect(readdirSync(`/proc/${pid}/task`).length).toBeGreaterThan(SETTINGS.workers);
    expect(privilegeFaults(process.pid, SETTINGS).length).toBeGreaterThan(0);
  });

  test('startDataPlane() gives every worker the newest snapshot, keys included', async () => {
    const { plane } = await start();
    plane.publish(snapshot(1, 0x11));
    await running(plane);
    plane.publish(snapshot(2, 0x22));
    await vi.waitFor(() => expect(plane.status().ackedVersion).toBe(2), WAIT);
    expect((await ask(listenFor(plane, 'pod-1'))).chainKey).toBe('22'.repeat(32));
  });

  test('startDataPlane() fills pools on demand, verifies once and passes events and counters on', async () => {
    const arrived = serveArrivals();
    const { plane, events, counters } = await start();
    listenFor(plane, POOL_POD);
    await running(plane);
    await vi.waitFor(() => expect(arrived.toSorted().join('')).toBe('0000011111'), WAIT);
    await vi.waitFor(() => expect(events).toHaveLength(2), WAIT);
    expect(events[0]).toMatchObject({ kind: 'refused', reason: 'bad-token' });
    await vi.waitFor(
      () => expect(plane.status().asymmetric).toEqual({ total: 1, tokens: 1 }),
      WAIT,
    );
    expect(counters.totals().lanesOpenedIn).toBe(SETTINGS.workers);
  });

  test('startDataPlane() answers who asks for sockets that cannot be made, so that it asks again', async () => {
    const arrived = serveArrivals();
    let asked = 0;
    const { plane, log } = await start({
      makeSockets: (_podUid, family, count) => {
        asked += 1;
        if (asked === 1) throw new RangeError('no room');
        return asked === 2 ? [] : Array.from({ length: count }, () => tcpSocket(family));
      },
    });
    listenFor(plane, POOL_POD);
    await vi.waitFor(() => expect(arrived.toSorted().join('')).toBe('0000011111'), WAIT);
    expect(asked).toBe(4);
    expect(JSON.stringify(log.find((line) => line.event === 'plane.sockets'))).toContain('no room');
  });

  test('startDataPlane() starts a killed process anew; who connects meanwhile is served by the next', async () => {
    const { plane } = await start();
    plane.publish(snapshot(5, 0x55));
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    const first = plane.status().pid;
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(plane.status().restarts).toBe(1), WAIT);
    expect(plane.status().state).toBe('starting');
    const answer = await ask(port);
    expect(answer.chainKey).toBe('55'.repeat(32));
    await running(plane, 1);
    expect(plane.status().pid).not.toBe(first);
  });

  test('startDataPlane() has a spare take the place of a worker that died, and the others’ connections live', async () => {
    const { plane, log } = await start();
    plane.publish(snapshot(7, 0x77));
    const [port, holding, crashing] = ['pod-1', HOLD_POD, CRASH_POD].map((uid) =>
      listenFor(plane, uid),
    );
    await running(plane);
    const { pid } = plane.status();
    expect(plane.status()).toMatchObject({ working: 2, spares: 1 });
    const held = await holdAll(holding ?? 0, SETTINGS.workers);

    expect(await endOf(crashing ?? 0)).toBe('ECONNRESET');
    const lost = await vi.waitFor(() => {
      const line = log.find(({ event }) => event === 'plane.worker');
      expect(line?.fields).toMatchObject({ pid, why: 'told to crash', working: 2, spares: 0 });
      return Number(line?.fields['worker']);
    }, WAIT);
    const those = held.filter(({ worker }) => worker === lost);
    await vi.waitFor(() => expect(those.every(({ socket }) => socket.destroyed)).toBe(true), WAIT);
    expect(those.map(({ socket }) => socket.errored)).toMatchObject(
      those.map(() => ({ code: 'ECONNRESET' })),
    );
    const anew = await holdAll(holding ?? 0, SETTINGS.workers);
    expect(anew.filter(({ worker }) => worker === lost)[0]?.chainKey).toBe('77'.repeat(32));

    expect(await endOf(crashing ?? 0)).toBe('ECONNRESET'); // no spare is left: one fewer
    await vi.waitFor(() => expect(plane.status()).toMatchObject({ working: 1, spares: 0 }), WAIT);
    expect((await ask(port ?? 0)).chainKey).toBe('77'.repeat(32));
    expect(plane.status()).toMatchObject({ pid, restarts: 0 });
    const others = [...held, ...anew].filter(({ socket }) => !socket.destroyed);
    expect(others.some(({ worker }) => worker !== lost)).toBe(true);

    expect(await endOf(crashing ?? 0)).toBe('ECONNRESET'); // none is left
    await running(plane, 1);
    const words = log.find((line) => line.event === 'plane.lastWords')?.fields['words'];
    expect(words).toMatch(/DATA_PLANE_FAILED: .*told to crash/);
    expect(plane.status()).toMatchObject({ working: 2, spares: 1 });
  });

  test('startDataPlane() gives nothing to a process that keeps its privileges', async () => {
    const { plane, log } = await start(
      impostor(`${HELLO}
        setTimeout(() => say({ type: 'hello', version: ${CONTROL_VERSION}, workers: 2, spares: 0 }), 50);
        setInterval(() => process.stderr.write('heard ' + heard + ';'), 5);`),
    );
    plane.publish(snapshot(1, 0x11));
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.privileged')).toBe(true),
      WAIT,
    );
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.lastWords')).toBe(true),
      WAIT,
    );
    const words = String(log.find((line) => line.event === 'plane.lastWords')?.fields['words']);
    const hello = { type: 'hello', version: CONTROL_VERSION, settings: SETTINGS };
    const helloBytes = encodeFrame({ ...hello, staleAfterMs: 60_000 }).length;
    expect(new Set(words.match(/heard \d+/g))).toEqual(new Set([`heard ${helloBytes}`]));
  });

  test.each([
    ['is no frame', `channel.write(Buffer.alloc(64, 0xff));`],
    ['is no message', `say({ type: 'ack', version: -1 });`],
    ['comes before hello', `say({ type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 9 });`],
    ['is hello in another version', `say({ type: 'hello', version: 99, workers: 2 });`],
  ])('startDataPlane() ends a process whose message %s, and lives on', async (_what, misdeed) => {
    const { plane, log } = await start(
      impostor(`${HELLO}\n${misdeed}\nsetInterval(() => {}, 1000);`),
    );
    await vi.waitFor(() => expect(plane.status().restarts).toBeGreaterThan(0), WAIT);
    const ends = log.filter((line) => line.event === 'plane.ended');
    expect(JSON.stringify(ends[0]?.fields)).toMatch(/frame|no message/);
  });

  test.each([
    ['says too much', `say({ type: 'ack', version: 1 })`, 20_000, /messages in a second/],
    [
      'asks for too many sockets',
      `say({ type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 253 })`,
      500,
      /sockets in a second/,
    ],
  ])('startDataPlane() ends a process that %s', async (_what, misdeed, times, why) => {
    const { log } = await start({
      ...impostor(`${HELLO}
        process.setgroups([]);
        process.setgid(${UID});
        process.setuid(${UID});
        say({ type: 'hello', version: ${CONTROL_VERSION}, workers: 2 });
        for (let i = 0; i < ${times}; i += 1) ${misdeed};
        setInterval(() => {}, 1000);`),
      nodePath: barrenNode(),
      makeSockets: () => [],
    });
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.ended')).toBe(true),
      WAIT,
    );
    expect(log.map((line) => line.event)).toContain('plane.running');
    expect(JSON.stringify(log)).toMatch(why);
  });

  test('DataPlane.lanes() counts who only drains, and close() ends that as well', async () => {
    const record = await openRecord();
    const child = spawn('sleep', ['60']);
    const exit = once(child, 'exit');
    const identity = identify(child.pid ?? 0);
    if (identity === undefined) throw new RangeError('it has ended');
    const given = { program: '0:0', replay: '0:1', counters: '0:2', settings: SETTINGS };
    record.add({ ...identity, ...given, endBy: Date.now() + 60_000 });
    const { plane } = await start({ record });
    await running(plane);
    expect((await plane.lanes(1))?.draining).toBe(1);
    await plane.close();
    expect(await exit).toEqual([null, 'SIGKILL']);
  });

  test('startDataPlane() waits longer after each failure in a row', async () => {
    const { log } = await start(impostor('process.exit(3);'));
    const delays = (): unknown[] =>
      log.filter((line) => line.event === 'plane.ended').map((line) => line.fields['restartInMs']);
    await vi.waitFor(() => expect(delays().length).toBeGreaterThan(3), WAIT);
    expect(delays().slice(0, 4)).toEqual([0, 100, 200, 400]);
  });

  test('startDataPlane() survives a program that cannot be run', async () => {
    const { plane, log } = await start({ nodePath: '/nonexistent/node' });
    await vi.waitFor(() => expect(plane.status().restarts).toBeGreaterThan(1), WAIT);
    expect(JSON.stringify(log)).toContain('ENOENT');
  });

  test('DataPlane.unlisten() stops serving a listener', async () => {
    const { plane } = await start();
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    await ask(port);
    plane.unlisten({ kind: 'pod', podUid: 'pod-1', family: 4 });
    const other = listenFor(plane, 'pod-2');
    await ask(other);
    const waiting = connect({ host: '127.0.0.1', port });
    await once(waiting, 'connect');
    await ask(other);
    expect(waiting.bytesRead).toBe(0);
    waiting.destroy();
  });

  test.each([0, 5000])('DataPlane.close(%i) ends the process', async (drainMs) => {
    const { plane } = await start();
    await running(plane);
    const { pid } = plane.status();
    await plane.close(drainMs);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(plane.status()).toMatchObject({ state: 'closed', pid: 0 });
  });
});
