// A data plane of which the control plane was killed, and what comes to its door. Everything on
// loopback; the workers are those of plane.probe.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ChainId, Slot } from '#agent/base/brands.ts';
import { sleep, systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { PLANE_FDS } from './control.ts';
import { Counters } from './counters.ts';
import { openDoor } from './door.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { inodeOf, OWN_NETNS } from '#proxy/native/netns.ts';
import { sendFds } from '#proxy/native/fdpass.ts';
import { socketPair, tcpListener } from '#proxy/native/socket.ts';
import { bindUnix, connectUnix } from '#proxy/native/unix.ts';
import { startDataPlane, type DataPlane } from './plane.ts';
import type { ParentSays, ParentTask } from './plane.parent.ts';
import { CRASH_POD, HOLD_POD, type ProbeAnswer } from './plane.probe.ts';
import { PlaneRecord } from './planeRecord.ts';
import type { PlaneLog } from './planeRun.ts';
import { findPredecessor, type Predecessor } from './predecessor.ts';
import { ReplaySet } from './replay.ts';
import { NO_SNAPSHOT, type LiveChain } from './snapshot.ts';

const UID = 15_008;
const SETTINGS = { workers: 2, uid: UID, gid: UID, build: 'test' };
const PARENT = fileURLToPath(new URL('./plane.parent.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('./plane.probe.ts', import.meta.url));
const WAIT = { timeout: 30_000, interval: 20 };
const POD = 'pod-1';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface LogLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function newRunDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidelock-run-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

const logTo =
  (lines: LogLine[]): PlaneLog =>
  (_level, event, fields) =>
    void lines.push({ event, fields });
const unlogged = logTo([]);

/** The record of a run directory, closed with the test at the latest. */
async function openRecord(directory: string): Promise<PlaneRecord> {
  const record = await PlaneRecord.open(directory, { clock: systemClock, log: unlogged });
  undo.push(() => record.close());
  return record;
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

interface Parent extends ParentSays {
  readonly runDir: string;
  readonly kill: () => Promise<void>;
}

/** A control plane with a data plane that runs, both ended with the test. */
async function parent(changes: Partial<ParentTask> = {}): Promise<Parent> {
  const directory = newRunDir();
  const task: ParentTask = {
    runDir: directory,
    settings: SETTINGS,
    probe: PROBE,
    staleAfterMs: 60_000,
    podUid: POD,
    ...changes,
  };
  const child = spawn(process.execPath, [PARENT, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const says = JSON.parse(line) as ParentSays;
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  undo.push(kill, () => isThere(says.pid) && process.kill(says.pid, 'SIGKILL'));
  return { ...says, runDir: directory, kill };
}

const find = (record: PlaneRecord, log: LogLine[] = [], settings = SETTINGS) =>
  findPredecessor({
    record,
    settings,
    nodePath: process.execPath,
    clock: systemClock,
    log: logTo(log),
  });

/** What is left by a control plane that was killed. */
interface Found {
  readonly record: PlaneRecord;
  readonly predecessor: Predecessor;
}

async function found(directory: string, settings = SETTINGS): Promise<Found> {
  const record = await openRecord(directory);
  const log: LogLine[] = [];
  const predecessor = await find(record, log, settings);
  if (predecessor === undefined) throw new RangeError(`none found: ${JSON.stringify(log)}`);
  return { record, predecessor };
}

/** Goes on with a predecessor that fits, or sends it into retirement. */
function goOn({ predecessor, record }: Found, log: LogLine[] = [], settings = SETTINGS): DataPlane {
  const { listeners, memory, fits } = predecessor;
  const replay =
    memory?.replay ?? ReplaySet.create({ periodMs: 10_000, openingsPerPeriod: 100, sources: 4 });
  const counters = (fits && memory?.counters) || Counters.create(memory?.counters);
  const plane = startDataPlane({
    replay,
    counters,
    predecessor,
    nodePath: process.execPath,
    mainPath: PROBE,
    settings,
    record,
    staleAfterMs: 60_000,
    makeSockets: () => [],
    onEvent: () => undefined,
    log: logTo(log),
    clock: systemClock,
    random: () => 0,
  });
  undo.push(async () => {
    await plane.close();
    listeners.close();
    closeFd(replay.fd);
    closeFd(counters.fd);
  });
  return plane;
}

/** A chain of short slots: a few of them pass until peers know the new control plane. */
const CHAIN: LiveChain = {
  id: '00'.repeat(16) as ChainId,
  generation: 1,
  epoch: 1,
  periodMs: 50,
  algorithm: 1,
  atSlot: 1 as Slot,
  slot: 1 as Slot,
  key: new Uint8Array(32),
};

const running = (plane: DataPlane): Promise<void> =>
  vi.waitFor(() => expect(plane.status().state).toBe('running'), WAIT);

async function ask(port: number): Promise<ProbeAnswer> {
  let text = '';
  const socket = connect({ host: '127.0.0.1', port });
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text) as ProbeAnswer;
}

const claim = (predecessor: Predecessor, port: number): number | undefined =>
  predecessor.listeners.claim({ address: '127.0.0.1', port, netns: inodeOf(OWN_NETNS) });

/** Descriptors of a process by what they are, sockets and pipes without their numbers. */
const descriptorsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .flatMap((fd) => targetOf(`/proc/${pid}/fd/${fd}`) ?? [])
    .map((target) => target.replace(/\[\d+\]/, ''))
    .toSorted();

/** Undefined where the descriptor has been closed meanwhile. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Its descriptors once they have stood still: connections that have ended are let go a moment later. */
async function settledDescriptors(pid: number): Promise<string[]> {
  for (let last = descriptorsOf(pid), still = 0; ;) {
    await sleep(systemClock, 50);
    const now = descriptorsOf(pid);
    still = now.join() === last.join() ? still + 1 : 0;
    if (still === 10) return now;
    last = now;
  }
}

describe('findPredecessor()', () => {
  test('finds nobody where none is recorded, whoever stands behind the door', async () => {
    const record = await openRecord(newRunDir());
    expect(await find(record)).toBeUndefined();
    const server = openDoor(bindUnix(record.door), {
      legacy: () => ({ replay: 0, counters: 0, listeners: [] }),
      entered: () => undefined,
    });
    undo.push(() => server.close());
    expect(await find(record)).toBeUndefined();
  });

  test('cannot be asked while the data plane has a control plane', async () => {
    const { runDir, pid } = await parent();
    await expect(openRecord(runDir)).rejects.toMatchObject({
      code: 'AGENT_RUNNING',
      message: expect.stringMatching(/process \d+ holds it/) as string,
    });
    expect(isThere(pid)).toBe(true);
  });

  test('gets the running process, its memory and its listeners once the control plane is dead', async () => {
    const { runDir, pid, port, kill } = await parent();
    const replaySet = statSync(`/proc/${pid}/fd/${PLANE_FDS.replay}`).ino;
    await kill();
    expect((await ask(port)).uid).toBe(UID);
    const got = await found(runDir);
    const { predecessor } = got;
    expect(predecessor.identity.pid).toBe(pid);
    expect(statSync(`/proc/self/fd/${predecessor.memory?.replay.fd}`).ino).toBe(replaySet);
    expect(claim(predecessor, port + 1)).toBeUndefined();
    const plane = goOn(got);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    await running(plane);
    expect(plane.status()).toMatchObject({ pid, restarts: 0 });
    plane.listen({ kind: 'pod', podUid: POD, family: 4 }, listener);
    plane.listenersNamed();
    expect((await ask(port)).uid).toBe(UID);
  });

  test('goes on with one of another build until its own serves; live connections stay with the first', async () => {
    const settings = { ...SETTINGS, build: 'another' };
    const { runDir, pid, port, kill } = await parent({ podUid: HOLD_POD });
    const held = connect({ host: '127.0.0.1', port });
    await once(held, 'data');
    await kill();
    const got = await found(runDir, settings);
    const { predecessor } = got;
    expect(predecessor).toMatchObject({ fits: false, settings: SETTINGS });
    const log: LogLine[] = [];
    const plane = goOn(got, log, settings);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    plane.listen({ kind: 'pod', podUid: HOLD_POD, family: 4 }, listener);
    plane.listenersNamed();
    await running(plane);
    expect(plane.status().pid).toBe(pid);
    expect(log.map(({ event }) => event)).not.toContain('plane.retiring'); // nobody knows the new one yet
    plane.publish({
      ...NO_SNAPSHOT,
      version: 1,
      self: { ...NO_SNAPSHOT.self, trusted: true },
      chains: [CHAIN],
    });
    await vi.waitFor(() => expect(plane.status().pid).not.toBe(pid), WAIT);
    await running(plane);
    expect(plane.status().restarts).toBe(0);
    const late = connect({ host: '127.0.0.1', port });
    await once(late, 'data');
    expect((await plane.lanes(1))?.draining).toBe(1);
    expect(isThere(pid)).toBe(true);
    for (const socket of [held, late]) socket.resetAndDestroy();
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
    await vi.waitFor(() => expect(log.map(({ event }) => event)).toContain('plane.retired'), WAIT);
  });

  test('sends one that speaks a version of long ago into retirement', async () => {
    const { runDir, pid, port, kill } = await parent();
    await kill();
    const file = join(runDir, 'planes.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"speaks":\d+,/, ''), { mode: 0o600 });
    const settings = { ...SETTINGS, build: 'another' };
    const got = await found(runDir, settings);
    const { predecessor } = got;
    expect(predecessor.memory).toBeUndefined();
    const log: LogLine[] = [];
    const plane = goOn(got, log, settings);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    plane.listen({ kind: 'pod', podUid: POD, family: 4 }, listener);
    expect((await ask(port)).uid).toBe(UID);
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
    await running(plane);
    expect(plane.status()).toMatchObject({ restarts: 0 });
    expect(log.map(({ event }) => event)).toContain('plane.retired');
  });

  test('ends one that does not open in time, and its ports are free', async () => {
    const { runDir, pid, port, kill } = await parent();
    process.kill(pid, 'SIGSTOP');
    await kill();
    const log: LogLine[] = [];
    const record = await openRecord(runDir);
    expect(await find(record, log)).toBeUndefined();
    expect(record.planes()).toEqual([]);
    expect(log).toEqual([{ event: 'plane.unfit', fields: { pid, why: 'it does not answer' } }]);
    closeFd(tcpListener('127.0.0.1', port));
  });
});

describe('a data plane that was taken over', () => {
  test('stops serving what the new control plane does not name', async () => {
    const { runDir, port, kill } = await parent();
    await kill();
    const got = await found(runDir);
    const plane = goOn(got);
    await running(plane);
    got.predecessor.listeners.close();
    plane.listenersNamed();
    await vi.waitFor(async () => expect(ask(port)).rejects.toThrow(/ECONNREFUSED/), WAIT);
  });

  test('tells its last words to the new control plane', async () => {
    const { runDir, port, kill } = await parent({ podUid: CRASH_POD });
    await kill();
    const log: LogLine[] = [];
    const plane = goOn(await found(runDir), log);
    await running(plane);
    for (let left = 3; left > 0; left -= 1) await expect(ask(port)).rejects.toThrow(); // workers, spare
    const words = await vi.waitFor(() => {
      const line = log.find(({ event }) => event === 'plane.lastWords');
      if (line === undefined) throw new RangeError('none yet');
      return line.fields['words'];
    }, WAIT);
    expect(words).toMatch(/DATA_PLANE_FAILED: .*told to crash/);
  });

  test('is replaced at once when it is killed', async () => {
    const { runDir, pid, kill } = await parent();
    await kill();
    const plane = goOn(await found(runDir));
    await running(plane);
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(plane.status()).toMatchObject({ restarts: 1 }), WAIT);
    await running(plane);
    expect(plane.status().pid).not.toBe(pid);
  });

  test('holds the same descriptors however often it was taken over', async () => {
    const { runDir, pid, port, kill } = await parent();
    await kill();
    await Promise.all(Array.from({ length: 8 }, () => ask(port))); // every worker listens by now
    const before = await settledDescriptors(pid);
    for (let times = 0; times < 3; times += 1) {
      const { predecessor, record } = await found(runDir);
      const { ends, memory, listeners } = predecessor;
      listeners.close();
      // This control plane ends without a word, as one that is killed.
      for (const fd of [...Object.values(ends), memory?.replay.fd, memory?.counters?.fd]) {
        if (fd !== undefined) closeFd(fd);
      }
      record.close();
      await vi.waitFor(() => expect(descriptorsOf(pid)).toEqual(before), WAIT);
    }
  });
});

describe('a data plane without a control plane', () => {
  test('ends by itself when no snapshot comes in time', async () => {
    const { pid, kill } = await parent({ staleAfterMs: 1500 });
    await kill();
    expect(isThere(pid)).toBe(true);
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
  });

  test('ends when it is told to, which one that has a control plane does not', async () => {
    const { pid, port, kill } = await parent();
    process.kill(pid, 'SIGTERM');
    expect((await ask(port)).uid).toBe(UID);
    await kill();
    await vi.waitFor(() => {
      if (isThere(pid)) process.kill(pid, 'SIGTERM');
      expect(isThere(pid)).toBe(false);
    }, WAIT);
  });
});

/** Comes to a door as a control plane does, and leaves. */
function knock(door: string): void {
  const visitor = connectUnix(door);
  if (visitor === undefined) throw new RangeError('nobody listens at the door');
  const brought = [...socketPair('stream'), ...socketPair('seqpacket')];
  sendFds(visitor, 0, brought.slice(0, 3));
  [visitor, ...brought].forEach(closeFd);
}

describe('openDoor()', () => {
  const NOBODY = 65_534;
  const asNobody = (door: string) =>
    run(
      [
        'setpriv',
        `--reuid=${NOBODY}`,
        '--clear-groups',
        'socat',
        '-u',
        `UNIX-CONNECT:${door}`,
        '-',
      ],
      { okCodes: [0, 1] },
    );

  test('lets nobody but root in, even where the file system would', async () => {
    const door = join(newRunDir(), 'plane.sock');
    let gave = 0;
    const server = openDoor(bindUnix(door), {
      legacy: () => {
        gave += 1;
        return undefined;
      },
      entered: () => undefined,
    });
    undo.push(() => server.close());
    chmodSync(join(door, '..'), 0o755);
    expect((await asNobody(door)).stderr).toMatch(/Permission denied/);
    chmodSync(door, 0o666);
    expect((await asNobody(door)).code).toBe(0);
    expect(gave).toBe(0);
    knock(door);
    await vi.waitFor(() => expect(gave).toBe(1), WAIT);
  });
});
