// Measuring a figure of a subject, once: bulk, connections, requests. What comes back is numbers; what
// they mean beside those of others is result.ts.
import { z } from 'zod';
import { TidelockError } from '#agent/base/errors.ts';
import { execIn, type Argv } from '#hwtest/rig/program.ts';
import type { Values } from './figures.ts';
import { cpuSecondsOf, treeOf } from './processes.ts';
import type { Subject } from './subject.ts';

/** Seconds of each, whole for bulk. */
export interface Effort {
  readonly bulkSeconds: number;
  readonly connectionSeconds: number;
  readonly requestSeconds: number;
  readonly roundTrips: number;
}

const LOAD = `${import.meta.dirname}/load.ts`;
const GIGA = 1e9;
/** Connections at a time, in `connections`. */
const AT_ONCE = 32;
/** Requests a second of `paced`: far below what any subject can do. */
const RATE = 1000;
/** Beyond what a load takes when all goes well. */
const SPARE_MS = 30_000;

const iperfSchema = z.object({
  end: z.object({ sum_received: z.object({ bits_per_second: z.number(), bytes: z.number() }) }),
});
const connectionsSchema = z.object({ opened: z.int(), failed: z.int(), seconds: z.number() });
const timesSchema = z.object({
  failed: z.int(),
  perSecond: z.number().optional(),
  p50Us: z.number(),
  p99Us: z.number(),
  p999Us: z.number(),
});

/** Gbit/s that arrive over `flows` connections, `toClient` or from it, and CPU seconds of the proxies per Gbit. */
export async function bulk(
  subject: Subject,
  flows: number,
  { bulkSeconds }: Effort,
  toClient = false,
): Promise<{ readonly gbits: number; readonly cpuPerGbit?: number }> {
  const { address, bulkPort } = subject;
  const tree = treeOf(subject.pids);
  const before = cpuSecondsOf(tree);
  const amount = ['-t', `${bulkSeconds}`, '-P', `${flows}`, ...(toClient ? ['-R'] : [])];
  const { stdout } = await execIn(
    subject.client.place,
    ['iperf3', '-J', '-c', address, '-p', `${bulkPort}`, ...amount],
    { timeoutMs: bulkSeconds * 1000 + SPARE_MS },
  );
  const received = iperfSchema.parse(JSON.parse(stdout.toString())).end.sum_received;
  const cpuPerGbit = (cpuSecondsOf(tree) - before) / ((received.bytes * 8) / GIGA);
  return {
    gbits: received.bits_per_second / GIGA,
    ...(subject.pids.length > 0 && { cpuPerGbit }),
  };
}

/** New connections a second, each with one byte there and back, and CPU of the proxies for each. */
export async function newConnections(
  subject: Subject,
  { connectionSeconds }: Effort,
): Promise<Values> {
  const tree = treeOf(subject.pids);
  const before = cpuSecondsOf(tree);
  const load = loadArgv(subject, 'connections', connectionSeconds, AT_ONCE);
  const said = await answerTo(subject, load, connectionSeconds);
  const { opened, failed, seconds } = connectionsSchema.parse(said);
  if (failed > 0) throw failure(subject, `${failed} of ${opened + failed} connections failed`);
  const cpuConnection = ((cpuSecondsOf(tree) - before) * 1e6) / opened;
  return { connections: opened / seconds, ...(subject.pids.length > 0 && { cpuConnection }) };
}

interface Times {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** 1 KiB there and back on one connection, one after the other. */
export async function roundTrip(subject: Subject, { roundTrips }: Effort): Promise<Times> {
  return timesOf(subject, await answerTo(subject, loadArgv(subject, 'roundtrip', roundTrips)));
}

/** 1 KiB at a fixed rate, whatever comes back. */
export async function pacedRequests(subject: Subject, { requestSeconds }: Effort): Promise<Times> {
  const load = loadArgv(subject, 'paced', requestSeconds, RATE, 0);
  return timesOf(subject, await answerTo(subject, load, requestSeconds));
}

/** Requests a second on `count` connections that never rest. */
export async function requests(
  subject: Subject,
  count: number,
  { requestSeconds }: Effort,
): Promise<Times & { readonly perSecond: number }> {
  const load = loadArgv(subject, 'requests', requestSeconds, count);
  const times = timesOf(subject, await answerTo(subject, load, requestSeconds));
  return { ...times, perSecond: times.perSecond ?? 0 };
}

/** Every this many requests under rotation open a connection of their own. */
const FRESH_EVERY = 10;

/** Requests at a fixed rate while keys rotate; those that fail are a figure and no failure. */
export async function requestsUnderRotation(subject: Subject, seconds: number): Promise<Values> {
  const before = await subject.agents?.slotsSeen();
  const load = loadArgv(subject, 'paced', seconds, RATE, FRESH_EVERY);
  const said = await answerTo(subject, load, seconds);
  const after = await subject.agents?.slotsSeen();
  const times = timesSchema.parse(said);
  return {
    rotationP50: times.p50Us,
    rotationP999: times.p999Us,
    rotationErrors: times.failed,
    rotations: (after ?? 0) - (before ?? 0),
  };
}

/** The argument vector of the load of a client. */
export const loadArgv = (subject: Subject, mode: string, ...amounts: readonly number[]): Argv => [
  process.execPath,
  LOAD,
  mode,
  subject.address,
  String(subject.echoPort),
  ...amounts.map(String),
];

/** What a load prints. Errors: those of `run`, also when it takes much longer than `seconds`. */
async function answerTo({ client }: Subject, load: Argv, seconds = 0): Promise<unknown> {
  const { stdout } = await execIn(client.place, load, { timeoutMs: seconds * 1000 + SPARE_MS });
  return JSON.parse(stdout.toString());
}

function timesOf(subject: Subject, said: unknown): z.infer<typeof timesSchema> {
  const times = timesSchema.parse(said);
  if (times.failed > 0) throw failure(subject, `${times.failed} requests failed`);
  return times;
}

/** Errors of a measurement that did run. */
export const failure = ({ label }: Subject, state: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'bench.measure',
    message: `Cannot measure ${label}: ${state}`,
    hint: 'A machine that is short of ports, descriptors or memory is the usual cause; look at it and repeat.',
  });
