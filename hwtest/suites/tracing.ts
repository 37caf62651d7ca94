// bpftrace as the suites start it, with tracefs, and probes that tell nobody anything until a suite says
// whom.
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import type { ProbesOptions } from '#probes/probes.ts';
import { WITH_TRACEFS } from '#hwtest/rig/tracefs.ts';
import { tracerBy, type SpawnTracer } from '#probes/tracer.ts';

/** The bpftrace of the PATH, which finds tracefs. */
export const withTracefs = tracerBy([...WITH_TRACEFS, 'bpftrace']);

/** Options of probes that tell nobody anything and know no pod. */
export const quietProbes = (spawnTracer: SpawnTracer): ProbesOptions => ({
  enabled: true,
  pods: () => [],
  inbound: 'refuse',
  run,
  clock: systemClock,
  random: Math.random,
  log: () => undefined,
  signal: new AbortController().signal,
  spawn: spawnTracer,
});
