import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '#agent/base/clock.ts';
import { PlaneRecord, type RecordedPlane } from './planeRecord.ts';
import { identify, type ProcessIdentity } from './processIdentity.ts';

/** Time that passes by waiting for it. */
function leapingClock(): Clock {
  let nowMs = 0;
  return {
    wallMs: () => nowMs,
    monoMs: () => nowMs,
    after: (ms, callback) => {
      nowMs += ms;
      queueMicrotask(callback);
      return () => undefined;
    },
  };
}

let folder: string;
let events: string[];
const opened: PlaneRecord[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidelock-record-'));
  events = [];
});
afterEach(() => {
  for (const record of opened.splice(0)) record.close();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<PlaneRecord> {
  const log = (_level: string, event: string): void => void events.push(event);
  const record = await PlaneRecord.open(folder, { clock: leapingClock(), log });
  opened.push(record);
  return record;
}

const plane = (of: ProcessIdentity): RecordedPlane => ({
  ...of,
  program: '1:2',
  settings: { workers: 2, uid: 15_008, gid: 15_008, build: 'test' },
  replay: '1:3',
  counters: '1:4',
});

const running = (): RecordedPlane => {
  const self = identify(process.pid);
  if (self === undefined) throw new RangeError('this process does not run');
  return plane(self);
};

const file = (): string => join(folder, 'planes.json');

describe('PlaneRecord', () => {
  test('open() is for one at a time, and names who has it', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({
      code: 'AGENT_RUNNING',
      message: expect.stringContaining(`process ${process.pid} holds it`) as string,
    });
    first.close();
    first.close(); // nothing of anybody else's is closed
    await open();
  });

  test('add() keeps a process for the next one, in a file for root alone', async () => {
    const first = await open();
    first.add(running());
    expect(first.planes()).toEqual([running()]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    first.close();
    expect((await open()).planes()).toEqual([running()]);
    expect(readdirSync(folder)).toEqual(['planes.json']);
  });

  test('planes() leaves out processes that have ended, and later ones of their pids', async () => {
    const record = await open();
    record.add(plane({ pid: process.pid, startTicks: '1' }));
    expect(record.planes()).toEqual([]);
    record.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('retire() notes until when one drains', async () => {
    const record = await open();
    record.add(running());
    record.retire({ pid: process.pid, startTicks: '1' }, 7);
    expect(record.planes()).toEqual([running()]);
    record.retire(running(), 8);
    record.close();
    expect((await open()).planes()).toEqual([{ ...running(), endBy: 8 }]);
  });

  test('a record of an earlier boot names nobody', async () => {
    const record = await open();
    record.add(running());
    record.close();
    writeFileSync(file(), readFileSync(file(), 'utf8').replace(/"boot":"[^"]+/, '"boot":"other'));
    expect((await open()).planes()).toEqual([]);
    expect(events).toEqual([]);
  });

  test.each(['', '{', '[]', '{"boot":"x","planes":[{"pid":1}]}'])(
    'a spoilt record names nobody, and that is said: %s',
    async (text) => {
      writeFileSync(file(), text);
      const record = await open();
      expect(record.planes()).toEqual([]);
      expect(events).toEqual(['plane.record']);
      record.add(running());
      expect(record.planes()).toEqual([running()]);
    },
  );
});
