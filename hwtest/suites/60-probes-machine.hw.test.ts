// bpftrace and the machine it runs on: what is lacking is named with its remedy, and nothing of it
// outlives the process that started it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { WITH_TRACEFS } from '#hwtest/rig/tracefs.ts';
import { thisMachine, type Machine } from '#probes/diagnosis.ts';
import { startProbes } from '#probes/probes.ts';
import { tracerBy } from '#probes/tracer.ts';
import { quietProbes } from './tracing.ts';
import { report } from './twoNodes.ts';

const GONE_WITHIN_MS = 5_000;

describe('startProbes() on a machine that lacks something is degraded and says what', () => {
  const WITHOUT_TRACEFS = [
    'unshare',
    '--mount',
    '--',
    'sh',
    '-c',
    'umount -q /sys/kernel/tracing /sys/kernel/debug; exec bpftrace "$@"',
    'sh',
  ] as const;
  const HAS_NO_TRACEFS: Machine = {
    ...thisMachine,
    exists: (path) => !/tracing/.test(path) && thisMachine.exists(path),
  };
  test.each([
    {
      lacks: 'bpftrace',
      spawn: tracerBy(['tidelock-has-no-such-program']),
      machine: thisMachine,
      reason: 'bpftrace is not installed',
    },
    {
      lacks: 'tracefs',
      spawn: tracerBy(WITHOUT_TRACEFS),
      machine: HAS_NO_TRACEFS,
      reason: 'tracefs is not mounted',
    },
    {
      lacks: 'root',
      spawn: tracerBy(['setpriv', '--reuid=65534', '--clear-groups', '--', 'bpftrace']),
      machine: thisMachine,
      reason: 'the agent may not trace',
    },
  ])('$lacks', async ({ spawn: lacking, machine, reason }) => {
    const lame = startProbes({ ...quietProbes(lacking), machine });
    const deadline = performance.now() + 30_000;
    while (lame.status().state === 'starting' && performance.now() < deadline) await pause(10);
    const status = lame.status();
    await lame.close();
    report(`${status.code}: ${status.reason}. ${status.remedy}`);
    expect(status).toMatchObject({
      state: 'degraded',
      code: 'PROBES_UNAVAILABLE',
      reason: `Cannot start probes: ${reason}`,
    });
  });
});

test('bpftrace ends by itself when the process that started it is killed', async () => {
  const script = `
    const { startProbes } = await import('#probes/probes.ts');
    const { tracerBy } = await import('#probes/tracer.ts');
    const { systemClock: clock } = await import('#agent/base/clock.ts');
    let pid;
    const spawn = (...args) => {
      const tracer = tracerBy(${JSON.stringify([...WITH_TRACEFS, 'bpftrace'])})(...args);
      pid = tracer.pid;
      return tracer;
    };
    const log = (level, event) => process.stdout.write(event + ' ' + pid + '\\n');
    const { signal } = new AbortController();
    const { random } = Math;
    startProbes({ enabled: true, pods: () => [], inbound: 'plain', clock, random, log, signal, spawn });
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise((resolve) => {
    parent.stdout.setEncoding('utf8').once('data', resolve);
    parent.once('exit', () => resolve('it ended'));
  });
  const pid = Number(/^probes\.running (\d+)\n$/.exec(String(line))?.[1]);
  expect(existsSync(`/proc/${pid}`), String(line)).toBe(true);
  parent.kill('SIGKILL');
  const fromMs = performance.now();
  while (comm(pid) === 'bpftrace' && performance.now() - fromMs < GONE_WITHIN_MS) await pause(10);
  report(`starter killed: bpftrace gone after ${Math.round(performance.now() - fromMs)} ms`);
  expect(comm(pid)).not.toBe('bpftrace');
});

/** Name of a process that runs; a dead one that nobody has waited for does not. */
function comm(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return /^State:\tZ/m.test(status) ? undefined : /^Name:\t(.*)$/m.exec(status)?.[1];
  } catch {
    return undefined;
  }
}
