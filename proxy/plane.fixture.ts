// For tests: a real data plane with workers that answer what they are able to do (plane.probe.ts), started
// by the supervision and ended with the test. Everything on loopback.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, vi } from 'vitest';
import type { ChainId, NodeName, Slot } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import type { LaneEvent } from './facts.ts';
import { Counters } from './counters.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { tcpListener, tcpSocket } from '#proxy/native/socket.ts';
import { startDataPlane, type DataPlane, type DataPlaneOptions } from './plane.ts';
import type { ProbeAnswer } from './plane.probe.ts';
import { PlaneRecord } from './planeRecord.ts';
import { ReplaySet } from './replay.ts';
import type { Snapshot } from './snapshot.ts';

export const UID = 15_008;
export const SETTINGS = { workers: 2, uid: UID, gid: UID, build: 'test' };
const PROBE = fileURLToPath(new URL('./plane.probe.ts', import.meta.url));
export const WAIT = { timeout: 30_000, interval: 20 };

export interface LogLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Started {
  readonly plane: DataPlane;
  readonly log: LogLine[];
  readonly events: LaneEvent[];
  readonly counters: Counters;
}

/** What ends with the test, the last first. */
export const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A data plane of probe workers that ends with the test. */
export async function start(changes: Partial<DataPlaneOptions> = {}): Promise<Started> {
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
    onWhereIs: () => Promise.resolve(false),
    onUsing: () => undefined,
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
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidelock-plane-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The record of a run directory of its own. */
export function openRecord(): Promise<PlaneRecord> {
  return PlaneRecord.open(newFolder(), { clock: systemClock, log: () => undefined });
}

/** Until it runs, after so many restarts. */
export const running = (plane: DataPlane, restarts = 0): Promise<void> =>
  vi.waitFor(() => expect(plane.status()).toMatchObject({ state: 'running', restarts }), WAIT);

/** A loopback listener served by the data plane. */
export function listenFor(plane: DataPlane, podUid: string): number {
  const fd = tcpListener('127.0.0.1', 0);
  const server = createServer().listen({ fd: dupFd(fd) });
  const { port } = server.address() as AddressInfo;
  server.close();
  undo.push(() => closeFd(fd));
  plane.listen({ kind: 'pod', podUid, family: 4 }, fd);
  return port;
}

/** What a probe worker answers to a connection. */
export async function ask(port: number): Promise<ProbeAnswer> {
  let text = '';
  const socket = connect({ host: '127.0.0.1', port });
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text) as ProbeAnswer;
}

/** One that says nothing but a key, of so many chains. */
export const snapshot = (version: number, keyByte: number, chains = 1): Snapshot => ({
  version,
  self: {
    domain: 'example.org',
    cluster: 'c',
    node: 'a' as NodeName,
    sids: [],
    trusted: true,
    reason: '',
  },
  chains: Array.from({ length: chains }, (_, age) => ({
    id: String(age).padStart(32, '0') as ChainId,
    generation: 1,
    epoch: chains - age,
    periodMs: 5000,
    algorithm: 1,
    atSlot: 1 as Slot,
    slot: 1 as Slot,
    key: new Uint8Array(32).fill(keyByte),
  })),
  peers: [],
  pods: [],
  remotes: [],
  policy: { version: 1, defaultAction: 'DENY', rules: [] },
  unmeshed: 'refuse',
});
