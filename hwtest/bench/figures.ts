// Measuring one figure of one subject, once. What comes back is numbers; what they mean beside those of
// others is result.ts.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { TidelockError } from '#agent/base/errors.ts';
import { spawnIn, waitFor, type Argv } from '#hwtest/rig/program.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import type { Subject } from './bed.ts';
import { cpuSecondsOf, residentBytesOf, treeOf } from './processes.ts';
import type { FigureName } from './result.ts';

/** How long and how much. */
export interface Effort {
  readonly bulkSeconds: number;
  readonly connectionSeconds: number;
  readonly roundTrips: number;
  /** Connections at a time, in `connections`. */
  readonly atOnce: number;
  /** Connections that are held, in memory figures. */
  readonly idleLanes: number;
}

export type Values = Partial<Readonly<Record<FigureName, number>>>;

const LOAD = `${import.meta.dirname}/load.ts`;
const GIGA = 1e9;
/** What memory has settled after. */
const SETTLE_SECONDS = 2;

const iperfSchema = z.object({
  end: z.object({ sum_received: z.object({ bits_per_second: z.number(), bytes: z.number() }) }),
});
const connectionsSchema = z.object({ opened: z.int(), failed: z.int(), seconds: z.number() });
const roundTripSchema = z.object({ failed: z.int(), p50Us: z.number(), p99Us: z.number() });
const idleSchema = z.object({ opened: z.int(), failed: z.int() });

/** Gbit/s that arrive over `flows` connections, and CPU seconds of the proxies per Gbit. */
export async function measureBulk(
  rig: Rig,
  subject: Subject,
  flows: 1 | 8 | 32,
  { bulkSeconds }: Effort,
): Promise<Values> {
  const { address, bulkPort } = subject;
  const tree = treeOf(subject.pids);
  const before = cpuSecondsOf(tree);
  const { stdout } = await rig.exec(
    subject.client,
    ['iperf3', '-J', '-c', address, '-p', `${bulkPort}`, '-t', `${bulkSeconds}`, '-P', `${flows}`],
    { timeoutMs: (bulkSeconds + 30) * 1000 },
  );
  const received = iperfSchema.parse(JSON.parse(stdout.toString())).end.sum_received;
  const cpuSeconds = cpuSecondsOf(tree) - before;
  const gigabits = (received.bytes * 8) / GIGA;
  return {
    [`bulk${flows}`]: received.bits_per_second / GIGA,
    ...(subject.pids.length > 0 && { [`cpu${flows}`]: cpuSeconds / gigabits }),
  };
}

/** New connections a second, each with one byte there and back. */
export async function measureConnections(
  rig: Rig,
  subject: Subject,
  { connectionSeconds, atOnce }: Effort,
): Promise<Values> {
  const argv = load(subject, 'connections', connectionSeconds, atOnce);
  const { stdout } = await rig.exec(subject.client, argv, {
    timeoutMs: (connectionSeconds + 30) * 1000,
  });
  const { opened, failed, seconds } = connectionsSchema.parse(JSON.parse(stdout.toString()));
  if (failed > 0) throw failure(subject, `${failed} of ${opened + failed} connections failed`);
  return { connections: opened / seconds };
}

/** 1 KiB there and back, microseconds. */
export async function measureRoundTrip(
  rig: Rig,
  subject: Subject,
  { roundTrips }: Effort,
): Promise<Values> {
  const { stdout } = await rig.exec(subject.client, load(subject, 'roundtrip', roundTrips), {
    timeoutMs: 60_000,
  });
  const { failed, p50Us, p99Us } = roundTripSchema.parse(JSON.parse(stdout.toString()));
  if (failed > 0) throw failure(subject, 'the connection failed');
  return { rttP50: p50Us, rttP99: p99Us };
}

/** Resident MiB of the proxies, as they are and with idle connections through them. */
export async function measureMemory(rig: Rig, subject: Subject, effort: Effort): Promise<Values> {
  if (subject.pids.length === 0) return {};
  const idle = residentOf(subject.pids);
  const { idleLanes } = effort;
  const holder = spawnIn(subject.client.place, load(subject, 'idle', idleLanes), {
    name: 'idle',
    logFile: `${rig.dir}/idle-${subject.name}.log`,
  });
  try {
    await waitFor(
      holder,
      'the last connection',
      () => answerOf(holder.logFile) !== undefined,
      60_000,
    );
    const { opened, failed } = idleSchema.parse(JSON.parse(answerOf(holder.logFile) ?? ''));
    if (failed > 0) throw failure(subject, `${failed} of ${opened + failed} connections failed`);
    await rig.exec(subject.client, ['sleep', String(SETTLE_SECONDS)]);
    return {
      memoryIdle: idle,
      memoryLanes: residentOf(subject.pids),
      ...(subject.beside.length > 0 && { memoryBeside: residentOf(subject.beside) }),
    };
  } finally {
    await holder.stop();
  }
}

const MIB = 1 << 20;
const residentOf = (pids: readonly number[]): number => residentBytesOf(treeOf(pids)) / MIB;

const answerOf = (logFile: string): string | undefined =>
  readFileSync(logFile, 'utf8')
    .split('\n')
    .find((line) => line.startsWith('{'));

const load = (subject: Subject, mode: string, ...amounts: readonly number[]): Argv => [
  process.execPath,
  LOAD,
  mode,
  subject.address,
  String(subject.echoPort),
  ...amounts.map(String),
];

const failure = ({ label }: Subject, state: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'bench.measure',
    message: `Cannot measure ${label}: ${state}`,
    hint: 'A machine that is short of ports, descriptors or memory is the usual cause; look at it and repeat.',
  });
