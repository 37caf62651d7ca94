// The supervision, with tracers and time that do what a test says.
import { describe, expect, test } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import type { Failure } from './diagnosis.ts';
import { Runner, type RunnerOptions } from './runner.ts';
import { FakeTracers, StepClock } from './tracer.fixture.ts';

const problem = (code: 'PROBES_UNAVAILABLE' | 'PROBES_FAILED'): TidelockError =>
  new TidelockError(code, { op: 'test', message: code, hint: 'none' });

interface Supervised {
  readonly runner: Runner;
  readonly tracers: FakeTracers;
  readonly clock: StepClock;
  readonly failures: Failure[];
  readonly lines: string[];
}

function supervised(changes: Partial<RunnerOptions> = {}): Supervised {
  const tracers = new FakeTracers();
  const clock = new StepClock();
  const failures: Failure[] = [];
  const lines: string[] = [];
  const runner = new Runner({
    start: () => tracers.spawn('', []),
    diagnose: (failure) => {
      failures.push(failure);
      return problem('PROBES_FAILED');
    },
    onLine: (line) => {
      lines.push(line);
      return line.includes('"hb"');
    },
    onOverlong: () => undefined,
    onState: () => undefined,
    clock,
    random: () => 1,
    ...changes,
  });
  runner.start();
  return { runner, tracers, clock, failures, lines };
}

describe('Runner', () => {
  test('is running from the first heartbeat on, and not by other lines', () => {
    const { runner, tracers, lines } = supervised();
    tracers.newest.say('{"type": "attached_probes"}\n');
    expect(runner.state).toEqual({ kind: 'starting' });
    tracers.newest.beat();
    expect(runner.state).toEqual({ kind: 'running', pid: tracers.newest.pid });
    expect(lines).toHaveLength(2);
  });

  test('starts a tracer anew after pauses that grow to 30 s, each with its jitter', async () => {
    const { tracers, clock, runner } = supervised({ random: () => 0.5 });
    for (const ceilingMs of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      const before = tracers.all.length;
      await tracers.newest.die('');
      expect(runner.state).toMatchObject({ kind: 'degraded', problem: { code: 'PROBES_FAILED' } });
      await clock.step(0.75 * ceilingMs - 1);
      expect(tracers.all).toHaveLength(before);
      await clock.step(1);
      expect(tracers.all).toHaveLength(before + 1);
    }
    expect(runner.restarts).toBe(10);
  });

  test('forgets a series of failures after a minute without one', async () => {
    const { tracers, clock } = supervised();
    for (let i = 0; i < 5; i += 1) {
      await tracers.newest.die('');
      await clock.step(30_000);
    }
    const before = tracers.all.length;
    for (let i = 0; i < 70; i += 1) {
      tracers.newest.beat();
      await clock.step(1_000);
    }
    await tracers.newest.die('');
    await clock.step(200);
    expect(tracers.all).toHaveLength(before + 1);
  });

  test('tries once a minute when the machine lacks something', async () => {
    const { tracers, clock } = supervised({ diagnose: () => problem('PROBES_UNAVAILABLE') });
    await tracers.newest.die('');
    await clock.step(59_999);
    expect(tracers.all).toHaveLength(1);
    await clock.step(1);
    expect(tracers.all).toHaveLength(2);
  });

  test('stays degraded while a new tracer starts, until it has a heartbeat', async () => {
    const { runner, tracers, clock } = supervised();
    await tracers.newest.die('');
    await clock.step(200);
    expect(runner.state.kind).toBe('degraded');
    tracers.newest.beat();
    expect(runner.state.kind).toBe('running');
  });

  test('ends a tracer that falls silent for 6 s, and not one that says anything', async () => {
    const { runner, tracers, clock, failures } = supervised();
    const [first] = tracers.all;
    first?.beat();
    await clock.step(5_000);
    first?.print(['exec']);
    await clock.step(5_000);
    expect(first?.signals).toEqual([]);
    await clock.step(1_000);
    expect(first?.signals).toEqual(['SIGKILL']);
    expect(failures).toMatchObject([{ silent: true, ran: true }]);
    expect(runner.state.kind).toBe('degraded');
  });

  test('gives a tracer 30 s to start', async () => {
    const { tracers, clock, failures } = supervised();
    await clock.step(29_999);
    expect(tracers.newest.signals).toEqual([]);
    await clock.step(1);
    expect(failures).toMatchObject([{ silent: true, ran: false }]);
  });

  test('tells the end of what a tracer said, bounded, and whether it ran', async () => {
    const { tracers, failures } = supervised();
    tracers.newest.beat();
    await tracers.newest.die(`${'x'.repeat(100_000)}the end`, { code: 3 });
    expect(failures).toMatchObject([{ ran: true, silent: false, end: { code: 3, signal: null } }]);
    expect(failures[0]?.stderr).toHaveLength(4_096);
    expect(failures[0]?.stderr.endsWith('the end')).toBe(true);
  });

  test('counts a start that throws as a failure', async () => {
    let starts = 0;
    const { runner, clock } = supervised({
      start: () => {
        starts += 1;
        throw problem('PROBES_UNAVAILABLE');
      },
    });
    expect(runner.state).toMatchObject({
      kind: 'degraded',
      problem: { code: 'PROBES_UNAVAILABLE' },
    });
    await clock.step(60_000);
    expect(starts).toBe(2);
  });

  test('close() ends the tracer and starts no other', async () => {
    const { runner, tracers, clock } = supervised();
    await runner.close();
    expect(tracers.newest.signals).toEqual(['SIGTERM']);
    expect(runner.state).toEqual({ kind: 'closed' });
    await clock.step(600_000);
    expect(tracers.all).toHaveLength(1);
  });

  test('close() ends a tracer that ignores SIGTERM by force, after 2 s', async () => {
    const { runner, tracers, clock } = supervised();
    tracers.newest.deaf = true;
    const closing = runner.close();
    await clock.step(1_999);
    expect(tracers.newest.signals).toEqual(['SIGTERM']);
    await clock.step(1);
    await closing;
    expect(tracers.newest.signals).toEqual(['SIGTERM', 'SIGKILL']);
  });

  test('close() between two tracers starts no other', async () => {
    const { runner, tracers, clock } = supervised();
    await tracers.newest.die('');
    await runner.close();
    await clock.step(600_000);
    expect(tracers.all).toHaveLength(1);
  });
});
