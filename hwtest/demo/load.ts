// The traffic of the demo: unmodified curl, redis-cli and redis-benchmark in client pods against nginx
// and redis-server in server pods. It counts requests, failures, bytes and latencies; what carries
// the traffic is none of its business.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '#agent/base/errors.ts';
import type { RunResult } from '#agent/base/run.ts';
import type { Program } from '#hwtest/rig/program.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { HTTP_PORT, REDIS_PORT } from '#hwtest/rig/servers.ts';
import { createLatencies, type Latencies } from './latency.ts';
import { CACHE, FORBIDDEN, WEB, type Canaries, type Conversation } from './plan.ts';

export interface Traffic {
  requests: number;
  failures: number;
  /** Payload bytes that clients received. */
  bytes: number;
  /** Attempts of the stranger that got an answer: must stay 0. */
  breaches: number;
  /** What failed, one line each, the first ones only: a storm of failures has one cause. */
  readonly failed: string[];
  /** Of HTTP requests, as curl measures them, the connection included where one was made. */
  readonly latencies: Latencies;
}

export interface Load {
  readonly traffic: Traffic;
  /** Lets what is under way finish; nothing is counted afterwards. */
  stop(): Promise<void>;
}

/** Documents of one curl call over one connection; nginx takes the query as part of the same document. */
const HTTP_BATCH = '{1024,1024,1024,65536}?[1-10]';
const HTTP_BATCH_SIZE = 40;
const BENCHMARK_REQUESTS = 100;
const BENCHMARK_VALUE_BYTES = 64;
const PAUSE_MS = 400;
const STRANGER_PAUSE_MS = 3_000;
const MAX_FAILED_LINES = 100;
const CONNECTION_LOST = [7, 28, 35, 52, 55, 56]; // curl(1), exit codes

/** Starts every conversation of the plan; runs until stopped. */
export function startLoad(rig: Rig, canaries: Canaries): Load {
  const traffic: Traffic = {
    requests: 0,
    failures: 0,
    bytes: 0,
    breaches: 0,
    failed: [],
    latencies: createLatencies(),
  };
  const stopping = new AbortController();
  const loop = async (pauseMs: number, body: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      await body();
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const sessions = CACHE.map((conversation) => startSession(rig, conversation));
  const loops = [
    ...WEB.map((conversation) =>
      loop(PAUSE_MS, async () => {
        await readCanary(rig, conversation, canaries, traffic);
        await fetchDocuments(rig, conversation, traffic);
      }),
    ),
    ...CACHE.map((conversation) =>
      loop(PAUSE_MS, async () => {
        await exchangeValue(rig, conversation, canaries, traffic);
        await benchmark(rig, conversation, traffic);
      }),
    ),
    ...sessions.map((session) => loop(1_000, async () => session.count(traffic))),
    loop(STRANGER_PAUSE_MS, () => knock(rig, traffic)),
  ];
  return {
    traffic,
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      for (const session of sessions) {
        session.count(traffic);
        await session.program.stop();
      }
    },
  };
}

/** Every canary once in each of its conversations, with nothing else: the control run. */
export async function exchangeCanaries(rig: Rig, canaries: Canaries): Promise<number> {
  const traffic: Count = { requests: 0, failures: 0, failed: [] };
  for (const conversation of WEB) await readCanary(rig, conversation, canaries, traffic);
  for (const conversation of CACHE) await exchangeValue(rig, conversation, canaries, traffic);
  return traffic.failures;
}

type Count = Pick<Traffic, 'requests' | 'failures' | 'failed'>;

async function readCanary(
  rig: Rig,
  conversation: Conversation,
  canaries: Canaries,
  count: Count,
): Promise<void> {
  const { server } = conversation;
  const url = `http://${rig.pod(server).address}:${HTTP_PORT}/canary`;
  const answer = await call(rig, conversation, ['curl', '-sS', '--max-time', '10', url]);
  tally(count, 1, answer.stdout.toString().trim() === canaries.get(server), answer);
}

async function fetchDocuments(
  rig: Rig,
  conversation: Conversation,
  traffic: Traffic,
): Promise<void> {
  const answer = await call(rig, conversation, [
    'curl',
    '-sS',
    '--max-time',
    '20',
    '--output',
    '/dev/null',
    '--write-out',
    '%{http_code} %{time_total} %{size_download}\n',
    `http://${rig.pod(conversation.server).address}:${HTTP_PORT}/${HTTP_BATCH}`,
  ]);
  let good = 0;
  for (const line of answer.stdout.toString().trim().split('\n')) {
    const [code, seconds, size] = line.split(' ').map(Number);
    if (code !== 200 || seconds === undefined || size === undefined) continue;
    good += 1;
    traffic.bytes += size;
    traffic.latencies.add(seconds * 1_000);
  }
  tally(traffic, good, true, answer);
  tally(traffic, HTTP_BATCH_SIZE - good, false, answer);
}

async function exchangeValue(
  rig: Rig,
  conversation: Conversation,
  canaries: Canaries,
  count: Count,
): Promise<void> {
  const canary = canaries.get(conversation.server) ?? '';
  const set = await redis(rig, conversation, ['redis-cli', 'SET', 'canary', canary]);
  tally(count, 1, set.stdout.toString().trim() === 'OK', set);
  const get = await redis(rig, conversation, ['redis-cli', 'GET', 'canary']);
  tally(count, 1, get.stdout.toString().trim() === canary, get);
}

async function benchmark(rig: Rig, conversation: Conversation, traffic: Traffic): Promise<void> {
  const answer = await redis(rig, conversation, [
    'redis-benchmark',
    '-q',
    '-t',
    'set,get',
    '-c',
    '4',
    '-n',
    String(BENCHMARK_REQUESTS),
    '-d',
    String(BENCHMARK_VALUE_BYTES),
  ]);
  tally(traffic, 2 * BENCHMARK_REQUESTS, answer.code === 0, answer);
  if (answer.code === 0) traffic.bytes += BENCHMARK_REQUESTS * BENCHMARK_VALUE_BYTES;
}

/** A connection that stays open over every rotation: one INCR each 100 ms, answers in its log. */
function startSession(
  rig: Rig,
  { client, server }: Conversation,
): { readonly program: Program; count(traffic: Traffic): void } {
  const host = rig.pod(server).address;
  const endless = ['redis-cli', '-h', host, '-r', '-1', '-i', '0.1', 'INCR', 'session'] as const;
  const program = rig.spawn(rig.pod(client), endless, { name: `session-${server}` });
  const asked = `${client} to ${server}, long session`;
  let counted = 0;
  let closed = false;
  return {
    program,
    count: (traffic) => {
      const lines = readFileSync(program.logFile, 'utf8').trim().split('\n').filter(Boolean);
      for (const line of lines.slice(counted)) {
        tally(traffic, 1, /^\d+$/.test(line), { asked, code: 0, stderr: line });
      }
      counted = lines.length;
      if (closed || program.running()) return;
      closed = true;
      tally(traffic, 1, false, { asked, code: 1, stderr: 'it ended' });
    },
  };
}

async function knock(rig: Rig, traffic: Traffic): Promise<void> {
  const url = `http://${rig.pod(FORBIDDEN.server).address}:${HTTP_PORT}/canary`;
  const answer = await call(rig, FORBIDDEN, ['curl', '-sS', '--max-time', '3', url]);
  if (CONNECTION_LOST.includes(answer.code) && answer.stdout.length === 0) return;
  traffic.breaches += 1;
  note(traffic.failed, `the stranger got an answer: curl exit ${answer.code}`);
}

const redis = (
  rig: Rig,
  conversation: Conversation,
  [program, ...args]: readonly [string, ...string[]],
): Promise<RunResult & Answer> => {
  const host = rig.pod(conversation.server).address;
  return call(rig, conversation, [program, '-h', host, '-p', String(REDIS_PORT), ...args]);
};

/** Exit code of timeout(1) for the same. */
const HUNG = 124;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** Runs a client program to its end, however it ends; one that hangs is ended and has failed. */
async function call(
  rig: Rig,
  { client, server }: Conversation,
  argv: readonly [string, ...string[]],
): Promise<RunResult & Answer> {
  const asked = `${client} to ${server}, ${argv[0]}`;
  try {
    return { ...(await rig.exec(rig.pod(client), argv, { okCodes: ANY_CODE })), asked };
  } catch (thrown) {
    return { code: HUNG, stdout: Buffer.alloc(0), stderr: messageOf(thrown), asked };
  }
}

/** What a program answered, and who asked whom. */
type Answer = Pick<RunResult, 'code' | 'stderr'> & { readonly asked: string };

function tally(count: Count, n: number, good: boolean, answer: Answer): void {
  count.requests += n;
  if (good || n === 0) return;
  count.failures += n;
  const said = answer.stderr.trim().split('\n').at(-1) ?? '';
  note(count.failed, `${answer.asked}: ${n} failed, exit ${answer.code}: ${said}`);
}

function note(failed: string[], line: string): void {
  if (failed.length < MAX_FAILED_LINES) failed.push(`${new Date().toISOString()} ${line}`);
}
