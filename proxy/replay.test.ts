import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { u64 } from '#agent/base/bytes.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
import { HAMMER, hammeredOpening, type HammerMessage, type HammerReport } from './replay.hammer.ts';
import { ReplaySet, type Opening, type ReplayOptions } from './replay.ts';

const PERIOD_MS = 10_000;
const SLOT = 170_000_000;
const NOW_MS = SLOT * PERIOD_MS + 3000;

const OPTIONS: ReplayOptions = {
  periodMs: PERIOD_MS,
  openingsPerPeriod: 1000,
  quotaPerSource: 1000,
  sources: 16,
};

const opening = (n: number, changes: Partial<Opening> = {}): Opening => ({
  kid: u64(7),
  salt: Buffer.concat([u64(n), u64(0)]),
  source: u64(0x0102_0304_0506),
  slot: SLOT,
  periodMs: PERIOD_MS,
  nowMs: NOW_MS,
  ...changes,
});

function withSet(options: Partial<ReplayOptions>, use: (set: ReplaySet) => void): void {
  const set = ReplaySet.create({ ...OPTIONS, ...options });
  try {
    use(set);
  } finally {
    closeFd(set.fd);
  }
}

describe('ReplaySet.testAndSet()', () => {
  test('testAndSet() is fresh once, then replayed, through every mapping', () => {
    withSet({}, (set) => {
      const other = ReplaySet.map(set.fd);
      expect(set.testAndSet(opening(1))).toBe('fresh');
      expect(set.testAndSet(opening(1))).toBe('replayed');
      expect(other.testAndSet(opening(1))).toBe('replayed');
      expect(other.testAndSet(opening(2))).toBe('fresh');
      expect(set.testAndSet(opening(2))).toBe('replayed');
    });
  });

  test('testAndSet() tells every bit of kid and salt apart', () => {
    withSet({}, (set) => {
      expect(set.testAndSet(opening(1))).toBe('fresh');
      const base = opening(1);
      for (const name of ['kid', 'salt'] as const) {
        for (let bit = 0; bit < base[name].length * 8; bit += 1) {
          const changed = Buffer.from(base[name]);
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(set.testAndSet({ ...base, [name]: changed })).toBe('fresh');
        }
      }
    });
  });

  test('testAndSet() accepts slots t-1, t and t+1 and no other', () => {
    withSet({}, (set) => {
      const verdicts = [-2, -1, 0, 1, 2].map((d) =>
        set.testAndSet(opening(d + 2, { slot: SLOT + d })),
      );
      expect(verdicts).toEqual(['stale', 'fresh', 'fresh', 'fresh', 'stale']);
    });
  });

  test('testAndSet() remembers an opening to the last millisecond of its slot being acceptable', () => {
    withSet({}, (set) => {
      const endMs = (SLOT + 2) * PERIOD_MS;
      expect(set.testAndSet(opening(1))).toBe('fresh');
      for (let slot = SLOT + 1; slot <= SLOT + 2; slot += 1) {
        set.testAndSet(opening(99, { slot, nowMs: endMs - 1 }));
      }
      expect(set.testAndSet(opening(1, { nowMs: endMs - 1 }))).toBe('replayed');
      expect(set.testAndSet(opening(1, { nowMs: endMs }))).toBe('stale');
    });
  });

  test('testAndSet() never lets a slow worker write into a table that serves a newer bucket', () => {
    withSet({ maxPeriodMs: PERIOD_MS }, (set) => {
      expect(set.testAndSet(opening(1))).toBe('fresh');
      const later = { slot: SLOT + 4, nowMs: NOW_MS + 4 * PERIOD_MS }; // the same of four tables
      expect(set.testAndSet(opening(1, later))).toBe('fresh');
      expect(set.testAndSet(opening(1))).toBe('stale');
      expect(set.testAndSet(opening(2))).toBe('stale');
      expect(set.testAndSet(opening(1, later))).toBe('replayed');
    });
  });

  test('testAndSet() keeps chains of different periods in one set', () => {
    withSet({}, (set) => {
      for (const periodMs of [1000, 5000, 7777, 30_000]) {
        const slot = Math.floor(NOW_MS / periodMs);
        expect(set.testAndSet(opening(1, { kid: u64(periodMs), periodMs, slot }))).toBe('fresh');
        const endMs = (slot + 2) * periodMs - 1;
        const replay = opening(1, { kid: u64(periodMs), periodMs, slot, nowMs: endMs });
        expect(set.testAndSet(replay)).toBe('replayed');
      }
      const slot = Math.floor(NOW_MS / 30_001);
      expect(set.testAndSet(opening(1, { periodMs: 30_001, slot }))).toBe('stale');
    });
  });

  test('testAndSet() stops one source at its quota in one period, and no other source', () => {
    withSet({ quotaPerSource: 5 }, (set) => {
      const verdicts = Array.from({ length: 8 }, (_, n) => set.testAndSet(opening(n)));
      expect(verdicts).toEqual([...Array(5).fill('fresh'), ...Array(3).fill('quota')]);
      expect(set.testAndSet(opening(0))).toBe('replayed');
      expect(set.testAndSet(opening(6, { source: u64(77) }))).toBe('fresh');
      expect(set.testAndSet(opening(6, { slot: SLOT + 1 }))).toBe('fresh');
    });
  });

  test('testAndSet() says full, and stays exact about what it took', () => {
    withSet({ openingsPerPeriod: 8, quotaPerSource: 1000 }, (set) => {
      const verdicts = Array.from({ length: 40 }, (_, n) => set.testAndSet(opening(n)));
      expect(verdicts.filter((v) => v === 'fresh')).toHaveLength(16); // twice 8: a table of 16 places
      verdicts.forEach((verdict, n) => {
        expect(set.testAndSet(opening(n))).toBe(verdict === 'fresh' ? 'replayed' : 'full');
      });
    });
  });

  test('testAndSet() says full when more sources speak than it can count', () => {
    withSet({ sources: 2 }, (set) => {
      const verdicts = Array.from({ length: 6 }, (_, n) =>
        set.testAndSet(opening(n, { source: u64(n + 1) })),
      );
      expect(verdicts).toEqual([...Array(4).fill('fresh'), 'full', 'full']);
    });
  });

  test('testAndSet() charges no quota for a replay', () => {
    withSet({ quotaPerSource: 2 }, (set) => {
      const verdicts = [1, 1, 1, 2, 1, 3].map((n) => set.testAndSet(opening(n)));
      expect(verdicts).toEqual(['fresh', 'replayed', 'replayed', 'fresh', 'replayed', 'quota']);
    });
  });

  test('testAndSet() agrees with a plain set over any order of openings and passing time', () => {
    const step = fc.record({
      salt: fc.integer({ min: 0, max: 12 }),
      slotOffset: fc.integer({ min: -2, max: 2 }),
      periodMs: fc.constantFrom(5000, 10_000, 30_000),
      advanceMs: fc.integer({ min: 0, max: 12_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        withSet({}, (set) => {
          const seen = new Set<string>();
          let nowMs = NOW_MS;
          for (const { salt, slotOffset, periodMs, advanceMs } of steps) {
            nowMs += advanceMs;
            const slot = Math.floor(nowMs / periodMs) + slotOffset;
            const kid = Buffer.concat([u64(slot).subarray(4), u64(periodMs).subarray(4)]);
            const key = `${salt}/${slot}/${periodMs}`;
            const expected =
              Math.abs(slotOffset) > 1 ? 'stale' : seen.has(key) ? 'replayed' : 'fresh';
            if (expected === 'fresh') seen.add(key);
            expect(set.testAndSet(opening(salt, { kid, slot, periodMs, nowMs }))).toBe(expected);
          }
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe('ReplaySet.map()', () => {
  test('map() refuses memory that is no replay set', () => {
    for (const lenBytes of [8, 4096, 1 << 16]) {
      const fd = createMemfd('not-a-replay-set', lenBytes);
      expect(() => ReplaySet.map(fd)).toThrow(
        expect.objectContaining({ code: 'REPLAY_SET_INVALID' }),
      );
      closeFd(fd);
    }
  });

  test('create() refuses options that make no set', () => {
    for (const bad of [
      { periodMs: 0 },
      { openingsPerPeriod: 1.5 },
      { sources: -1 },
      { periodMs: 1 },
    ]) {
      expect(() => ReplaySet.create({ ...OPTIONS, ...bad })).toThrow(RangeError);
    }
  });
});

interface Hammering {
  readonly child: ChildProcess;
  readonly halfway: Promise<unknown> | undefined;
  readonly report: Promise<HammerReport>;
}

/** A process that waits, its threads ready; every message it sends is kept. */
async function start(set: ReplaySet): Promise<Hammering> {
  const script = fileURLToPath(new URL('./replay.hammer.ts', import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'inherit', 'inherit', set.fd, 'ipc'],
  });
  const heard = new Map<string, (message: HammerMessage) => void>();
  const expectMessage = (kind: string): Promise<HammerMessage> =>
    new Promise((resolve) => heard.set(kind, resolve));
  child.on('message', (message: HammerMessage) =>
    heard.get(typeof message === 'string' ? message : 'report')?.(message),
  );
  const [ready, halfway, report] = ['ready', 'halfway', 'report'].map(expectMessage);
  await ready;
  return { child, halfway, report: report as Promise<HammerReport> };
}
const hammerSet = (): ReplaySet =>
  ReplaySet.create({
    periodMs: HAMMER.periodMs,
    maxPeriodMs: HAMMER.periodMs,
    openingsPerPeriod: HAMMER.perSlot * 3,
    quotaPerSource: HAMMER.perSlot * 3,
    sources: 4,
  });

describe('ReplaySet between processes', () => {
  test('testAndSet() is fresh exactly once for each opening that four threads of two processes race for', async () => {
    const set = hammerSet();
    const processes = await Promise.all([start(set), start(set)]);
    for (const { child } of processes) child.send('go');
    const reports = await Promise.all(processes.map(({ report }) => report));
    const fresh = reports.flatMap((report) => report.fresh);
    expect(fresh).toHaveLength(HAMMER.slots * HAMMER.perSlot);
    expect(new Set(fresh).size).toBe(fresh.length);
    expect(reports.every((report) => report.fresh.length > 0)).toBe(true);
    for (const { child } of processes) child.kill();
    closeFd(set.fd);
  });

  test('testAndSet() stays exact when a process is killed in the middle of it', async () => {
    const set = hammerSet();
    const [killed, survivor] = await Promise.all([start(set), start(set)]);
    killed.child.send('go');
    await killed.halfway;
    survivor.child.send('go');
    await survivor.halfway;
    killed.child.kill('SIGKILL');
    const { fresh } = await survivor.report;
    expect(new Set(fresh).size).toBe(fresh.length);
    const last = (HAMMER.slots - 1) * HAMMER.perSlot;
    for (let i = 0; i < HAMMER.perSlot; i += 1) {
      expect(set.testAndSet(hammeredOpening(last + i))).toBe('replayed');
    }
    survivor.child.kill();
    closeFd(set.fd);
  });
});
