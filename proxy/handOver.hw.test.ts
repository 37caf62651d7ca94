// What findPredecessor() makes of a recorded process that stands behind its door and is no data plane
// (door.liar.ts). Everything on loopback.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import type { Lie } from './door.liar.ts';
import { PlaneRecord, type RecordedPlane } from './planeRecord.ts';
import { findPredecessor } from './predecessor.ts';
import { fileId, identify, type ProcessIdentity } from './processIdentity.ts';

const LIAR = fileURLToPath(new URL('./door.liar.ts', import.meta.url));
const SETTINGS = { workers: 2, uid: 15_008, gid: 15_008, build: 'test' };

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function openRecord(): Promise<PlaneRecord> {
  const folder = mkdtempSync(join(tmpdir(), 'tidelock-run-'));
  const record = await PlaneRecord.open(folder, { clock: systemClock, log: () => undefined });
  undo.push(() => {
    record.close();
    rmSync(folder, { recursive: true });
  });
  return record;
}

function identityOf(child: ChildProcess): ProcessIdentity {
  undo.push(() => child.kill('SIGKILL'));
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new RangeError('it has ended');
  return identity;
}

async function liarAt({ door }: PlaneRecord, lie: Lie): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, [LIAR, door, lie], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const identity = identityOf(child);
  await once(createInterface(child.stdout), 'line');
  return identity;
}

const recorded = (identity: ProcessIdentity): RecordedPlane => ({
  ...identity,
  program: fileId(process.execPath) ?? '',
  settings: SETTINGS,
  replay: '0:1',
  counters: '0:2',
});

/** Why the recorded process was not taken over. */
async function refusal(record: PlaneRecord): Promise<unknown> {
  const log: [string, unknown][] = [];
  const found = await findPredecessor({
    record,
    settings: SETTINGS,
    nodePath: process.execPath,
    clock: systemClock,
    log: (_level, event, { why }) => log.push([event, why]),
  });
  expect(found).toBeUndefined();
  expect(log.map(([event]) => event)).toEqual(['plane.unfit']);
  return log[0]?.[1];
}

const KINDS = /neither memory nor a listening socket/;

describe('findPredecessor()', () => {
  test.each([
    ['nothing', /does not answer|closed/],
    ['no memory', KINDS],
    ['other memory', /another replay set than its own/],
    ['a file', KINDS],
    ['an unconnected socket', KINDS],
    ['a Unix socket', KINDS],
    ['listeners and a file', KINDS],
  ] as const)('ends who hands over %s', async (lie, why) => {
    const record = await openRecord();
    record.add(recorded(await liarAt(record, lie)));
    expect(await refusal(record)).toMatch(why);
    expect(record.planes()).toEqual([]);
  });

  test('takes nothing from another process than the recorded one, and ends that', async () => {
    const record = await openRecord();
    const liar = await liarAt(record, 'other memory');
    record.add(recorded(identityOf(spawn('sleep', ['60']))));
    expect(await refusal(record)).toBe('another is at its door');
    expect(record.planes()).toEqual([]);
    expect(identify(liar.pid)).toEqual(liar); // nothing that is not recorded is signalled
  });
});
