// Fuzzes targets one after the other, each in a thread of its own that is watched: one that hangs or
// takes too much memory is ended, and the input that it was at is the finding.
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { minimize } from './minimize.ts';
import { Progress, type Finding, type Job, type Message, type Tally } from './protocol.ts';

/** What a parser may take for one input, whatever it is. */
export const LIMITS = { hangMs: 1000, heapMib: 512 } as const;

/** Each costs as long as a hang is allowed to last. */
const HANG_ATTEMPTS = 8;

export interface Plan {
  /** File URL of the module of targets. */
  readonly module: string;
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  readonly hangMs: number;
  readonly heapMib: number;
}

export interface TargetResult {
  readonly target: string;
  /** Absent when the thread had to be ended. */
  readonly tally: Tally | undefined;
  readonly findings: readonly Finding[];
}

/** Fuzzes one target. A stop ends it with what was found by then. */
export async function fuzzTarget(plan: Plan, stop?: AbortSignal): Promise<TargetResult> {
  const { target } = plan;
  const ended = await runThread(plan, undefined, stop);
  const { tally, findings, stuck } = ended;
  if (stuck === undefined) return { target, tally, findings };
  const input = stuck.failure === 'hangs' ? await smallestHang(plan, stuck.input) : stuck.input;
  if (input === undefined) return { target, tally, findings };
  return { target, tally, findings: [...findings, { ...stuck, input }] };
}

/** Undefined when the input does not hang again: the machine was busy, not the parser. */
async function smallestHang(plan: Plan, input: Uint8Array): Promise<Uint8Array | undefined> {
  const hangs = async (candidate: Uint8Array): Promise<boolean> => {
    const { stuck } = await runThread(plan, candidate);
    return stuck?.failure === 'hangs';
  };
  return (await hangs(input)) ? minimize(input, hangs, HANG_ATTEMPTS) : undefined;
}

interface Ended {
  readonly tally: Tally | undefined;
  readonly findings: readonly Finding[];
  /** Why the thread was ended before its time, if it was. */
  readonly stuck: Finding | undefined;
}

async function runThread(plan: Plan, only?: Uint8Array, stop?: AbortSignal): Promise<Ended> {
  const { module, target, inputs, seed, hangMs, heapMib } = plan;
  const shared = Progress.memory();
  const progress = new Progress(shared);
  const job: Job = { module, target, inputs, seed, shared, ...(only && { only }) };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  const findings: Finding[] = [];
  let tally: Tally | undefined;
  let failed: NodeJS.ErrnoException | undefined;
  worker.on('message', (message: Message) => {
    if (message.kind === 'finding') findings.push(message.finding);
    else tally = message.tally;
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    failed = error;
  });
  const exited = new Promise<boolean>((resolve) => worker.once('exit', () => resolve(true)));
  const finding = (failure: Finding['failure'], text: string): Finding => ({
    target,
    failure,
    text,
    input: progress.input,
  });
  const passed = (): Promise<boolean> => wait(hangMs, false, { ref: false });
  for (let before = -1; !(await Promise.race([exited, passed()]));) {
    const { begun } = progress;
    const hangs = begun === before && begun > 0;
    before = begun;
    if (!hangs && stop?.aborted !== true) continue;
    const stuck = hangs ? finding('hangs', `took over ${hangMs} ms`) : undefined;
    await worker.terminate();
    return { tally, findings, stuck };
  }
  if (failed === undefined) return { tally, findings, stuck: undefined };
  if (progress.begun === 0 || failed.code !== 'ERR_WORKER_OUT_OF_MEMORY') throw failed;
  const text = `took over ${heapMib} MiB of heap`;
  return { tally, findings, stuck: finding('exhausts memory', text) };
}
