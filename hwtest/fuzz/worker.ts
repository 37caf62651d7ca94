// The thread that feeds one target. It may be ended at any moment by the one that watches it, so it
// owns nothing but memory.
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '#agent/base/errors.ts';
import { Coverage } from './coverage.ts';
import { minimize } from './minimize.ts';
import { MAX_INPUT_BYTES, mutate } from './mutate.ts';
import { Progress, type Failure, type Job, type Message, type Tally } from './protocol.ts';
import { Random } from './random.ts';
import { isRefusal, type Target } from './target.ts';

/** Inputs between two looks at coverage. */
const BATCH = 256;
/** Slower than this, an input is fed again before its time counts: the machine has other work. */
const SLOW_MS = 50;
const MAX_KEPT = 1024;
const MAX_FINDINGS = 5;
const MINIMIZE_ATTEMPTS = 3000;
const MIB = 1 << 20;

const job = workerData as Job;
const progress = new Progress(job.shared);
const send = (message: Message): void => parentPort?.postMessage(message);

const coverage = new Coverage(); // V8 counts blocks of what is compiled from now on
const { TARGETS } = (await import(job.module)) as { readonly TARGETS: readonly Target[] };
const target = TARGETS.find(({ name }) => name === job.target);
if (target === undefined) throw new Error(`there is no target ${job.target}`);
await (job.only === undefined ? fuzz(target) : alone(target, job.only));

/** What one input did. */
type Outcome =
  | { readonly fed: 'parsed' | 'refused'; readonly failure?: undefined }
  | { readonly fed: 'failed'; readonly failure: Failure; readonly text: string };

function feed({ feed: run }: Target, input: Uint8Array, beliefs: ReadonlySet<string>): Outcome {
  progress.begin(input);
  try {
    const believed = run(Buffer.from(input));
    if (believed === undefined || beliefs.has(believed)) return { fed: 'parsed' };
    return { fed: 'failed', failure: 'believes', text: believed.slice(0, 2000) };
  } catch (thrown) {
    if (isRefusal(thrown)) return { fed: 'refused' };
    return { fed: 'failed', failure: 'throws', text: thrownText(thrown) };
  }
}

/** The error, and the first frame of ours that it came through. */
function thrownText(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const frame = /\/((?:attest|agent|hwtest)\/[\w./-]+:\d+)/.exec(stack)?.[1] ?? 'an unknown place';
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return `${name}: ${messageOf(thrown).slice(0, 300)} (${frame})`;
}

async function fuzz(target: Target): Promise<void> {
  const random = new Random(job.seed);
  const corpus = [...target.samples()];
  const beliefs = beliefsOf(target, corpus);
  const counts = { parsed: 0, refused: 0, failed: 0 };
  const found = new Set<string>();
  for (const sample of corpus) {
    const outcome = feed(target, sample, beliefs);
    if (outcome.failure !== undefined) await note(target, sample, outcome, beliefs, found);
  }
  coverage.news();
  const before = heapMib();
  const start = performance.now();
  let [inputs, slowestMs, peak] = [0, 0, before];
  while (inputs < job.inputs && found.size < MAX_FINDINGS) {
    const batch: Buffer[] = [];
    for (; batch.length < BATCH && inputs < job.inputs; inputs += 1) {
      const input = mutate(random, random.pick(corpus), corpus);
      batch.push(input);
      const begin = performance.now();
      const outcome = feed(target, input, beliefs);
      const tookMs = performance.now() - begin;
      if (tookMs > slowestMs) slowestMs = Math.max(slowestMs, again(target, input, tookMs));
      counts[outcome.fed] += 1;
      if (outcome.failure !== undefined) await note(target, input, outcome, beliefs, found);
    }
    peak = Math.max(peak, heapMib());
    keep(target, batch, corpus, random);
  }
  const seconds = (performance.now() - start) / 1000;
  const { parsed, refused } = counts;
  const kept = corpus.length;
  const tally: Tally = {
    inputs,
    parsed,
    refused,
    kept,
    slowestMs,
    seconds,
    heapMib: peak - before,
  };
  send({ kind: 'done', tally });
}

/** What the untouched samples make the target believe: the only things it may. */
function beliefsOf(target: Target, samples: readonly Buffer[]): ReadonlySet<string> {
  return new Set(
    samples.flatMap((sample) => {
      progress.begin(sample);
      try {
        return target.feed(Buffer.from(sample)) ?? [];
      } catch {
        return []; // one that must be refused is a good sample, too; a crash is noted when it is fed
      }
    }),
  );
}

function again(target: Target, input: Buffer, tookMs: number): number {
  if (tookMs < SLOW_MS) return tookMs;
  const begin = performance.now();
  feed(target, input, new Set());
  return Math.min(tookMs, performance.now() - begin);
}

/** Feeds a batch that reached new code again, one by one, to see which of it did. */
function keep(target: Target, batch: readonly Buffer[], corpus: Buffer[], random: Random): void {
  const news = coverage.news();
  for (const input of batch) {
    if (news.size === 0) return;
    feed(target, input, new Set());
    if (!coverage.explains(news) || input.length > MAX_INPUT_BYTES) continue;
    if (corpus.length < MAX_KEPT) corpus.push(input);
    else corpus[random.below(MAX_KEPT)] = input;
  }
}

async function note(
  target: Target,
  input: Buffer,
  outcome: Outcome & { readonly fed: 'failed' },
  beliefs: ReadonlySet<string>,
  found: Set<string>,
): Promise<void> {
  const { failure, text } = outcome;
  const key = failure === 'throws' ? text.slice(text.lastIndexOf('(')) : failure;
  if (found.has(key)) return;
  found.add(key);
  const same = (candidate: Uint8Array): boolean => {
    const other = feed(target, candidate, beliefs);
    return other.failure === failure && (failure !== 'throws' || other.text.endsWith(key));
  };
  const smallest = await minimize(input, same, MINIMIZE_ATTEMPTS);
  send({ kind: 'finding', finding: { target: target.name, failure, text, input: smallest } });
}

async function alone(target: Target, input: Uint8Array): Promise<void> {
  const begin = performance.now();
  feed(target, input, new Set());
  const slowestMs = performance.now() - begin;
  const none = { parsed: 0, refused: 0, kept: 0, heapMib: 0 };
  send({ kind: 'done', tally: { ...none, inputs: 1, slowestMs, seconds: slowestMs / 1000 } });
}

function heapMib(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return (used_heap_size + external_memory) / MIB;
}
