// For tests: a data plane of which the control plane was killed, and the next control plane. Everything on
// loopback; the workers are those of plane.probe.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { Counters } from './counters.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { inodeOf, OWN_NETNS } from '#proxy/native/netns.ts';
import { startDataPlane, type DataPlane } from './plane.ts';
import type { ParentSays, ParentTask } from './plane.parent.ts';
import { type ProbeAnswer } from './plane.probe.ts';
import { PlaneRecord } from './planeRecord.ts';
import type { PlaneLog } from './planeRun.ts';
import { findPredecessor, type Predecessor } from './predecessor.ts';
import { ReplaySet } from './replay.ts';

export const UID = 15_008;
export const SETTINGS = { workers: 2, uid: UID, gid: UID, build: 'test' };
const PARENT = fileURLToPath(new URL('./plane.parent.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('./plane.probe.ts', import.meta.url));
export const WAIT = { timeout: 30_000, interval: 20 };
export const POD = 'pod-1';

/** Done after each test, the last one first. */
export const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** What a log was told. */
export interface LogLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A run directory that goes with the test. */
export function newRunDir(): string {
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
export async function openRecord(directory: string): Promise<PlaneRecord> {
  const record = await PlaneRecord.open(directory, { clock: systemClock, log: unlogged });
  undo.push(() => record.close());
  return record;
}

/** Whether a process runs. */
export const isThere = (pid: number): boolean => {
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
export async function parent(changes: Partial<ParentTask> = {}): Promise<Parent> {
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

/** findPredecessor() of a control plane with these settings. */
export const find = (record: PlaneRecord, log: LogLine[] = [], settings = SETTINGS) =>
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

/** The predecessor in a run directory. Errors: RangeError, with the log, where there is none. */
export async function found(directory: string, settings = SETTINGS): Promise<Found> {
  const record = await openRecord(directory);
  const log: LogLine[] = [];
  const predecessor = await find(record, log, settings);
  if (predecessor === undefined) throw new RangeError(`none found: ${JSON.stringify(log)}`);
  return { record, predecessor };
}

/** Goes on with a predecessor, as an agent does. */
export function goOn(
  { predecessor, record }: Found,
  log: LogLine[] = [],
  settings = SETTINGS,
): DataPlane {
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
    onWhereIs: () => Promise.resolve(false),
    onUsing: () => undefined,
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

/** Until a data plane runs. */
export const running = (plane: DataPlane): Promise<void> =>
  vi.waitFor(() => expect(plane.status().state).toBe('running'), WAIT);

/** What a worker behind a port answers, to the end of the connection. */
export async function ask(port: number): Promise<ProbeAnswer> {
  let text = '';
  const socket = connect({ host: '127.0.0.1', port });
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text) as ProbeAnswer;
}

/** The listening socket of a port, out of what a predecessor gave. */
export const claim = (predecessor: Predecessor, port: number): number | undefined =>
  predecessor.listeners.claim({ address: '127.0.0.1', port, netns: inodeOf(OWN_NETNS) });
