// The virtual cluster of `npm run bench -- epochs`: one real nats-server, a process for the conductor and two for
// all other agents. Brings it up, has it measured, ends it.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { TidelockError } from '#agent/base/errors.ts';
import { startBenchBus, type BenchBus } from './epochsBus.ts';
import { nameOf, type CrewAnswer, type CrewRequest } from './epochsCrew.ts';
import type { EpochsRow, Took } from './epochsResult.ts';
import { medianOf } from './result.ts';

export interface EpochsPlan {
  readonly agents: number;
  /** Peers that each agent uses. */
  readonly peers: number;
  readonly periodMs: number;
  readonly renewMs: number;
  /** Slots in which records are timed. */
  readonly slots: number;
  readonly generations: number;
}

const CREWS = 2;
/** Until every agent is admitted and knows its peers. */
const READY_MS = 900_000;
const POLL_MS = 1_000;
const SAY_AGAIN_MS = 10_000;
const MOST_NAMED = 5;
/** A generation begins with the next record; an agent that has not got its root by then will not get it any more. */
const GENERATION_SLOTS = 4;

export async function measureEpochs(
  plan: EpochsPlan,
  log: (line: string) => void,
): Promise<EpochsRow> {
  await using bus = await startBenchBus();
  const conductor = new CrewProcess();
  const crews = Array.from({ length: CREWS }, () => new CrewProcess());
  try {
    return await new EpochsCourse({ plan, bus, conductor, crews, log }).run();
  } finally {
    await Promise.all([conductor, ...crews].map((crew) => crew.end()));
  }
}

/** A child process with agents: one request at a time. */
class CrewProcess {
  readonly #child: ChildProcess = fork(new URL('epochsCrew.ts', import.meta.url));
  readonly #exit = once(this.#child, 'exit');

  async ask(request: CrewRequest): Promise<CrewAnswer> {
    this.#child.send(request);
    const ended = this.#exit.then(() => {
      throw new TidelockError('RIG_PROGRAM', {
        op: 'bench.epochs',
        message: 'A process with virtual agents ended by itself',
        hint: 'Look at its output above; each agent takes some 3 MiB of memory.',
      });
    });
    const [answer] = await Promise.race([once(this.#child, 'message'), ended]);
    return answer as CrewAnswer;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

interface Cluster {
  readonly plan: EpochsPlan;
  readonly bus: BenchBus;
  readonly conductor: CrewProcess;
  readonly crews: readonly CrewProcess[];
  readonly log: (line: string) => void;
}

class EpochsCourse {
  readonly #o: Cluster;

  constructor(cluster: Cluster) {
    this.#o = cluster;
  }

  async run(): Promise<EpochsRow> {
    const { plan, bus, conductor, crews, log } = this.#o;
    const { agents, periodMs, slots, generations } = plan;
    const start = { ask: 'start', url: bus.url, of: agents, ...plan } as const;
    log(`${agents} agents: starting`);
    await conductor.ask({ ...start, first: 0, count: 1 });
    await this.#until(
      'the conductor is elected',
      async () => (await conductor.ask({ ask: 'state' })).conducts,
    );
    const each = Math.ceil((agents - 1) / CREWS);
    const counts = crews.map((_, i) => Math.min(each, agents - 1 - i * each));
    await Promise.all(
      crews.map((crew, i) => crew.ask({ ...start, first: 1 + i * each, count: counts[i] ?? 0 })),
    );
    await this.#untilAll('admitted', 'all are admitted');
    log(`${agents} agents: each looks for the pods of ${plan.peers} others`);
    await this.#all({ ask: 'use' });
    await this.#untilAll('acquainted', 'all know their peers');

    log(`${agents} agents: ${slots} records`);
    await this.#all({ ask: 'begin' });
    const before = await bus.counts();
    const startedMs = performance.now();
    await sleep(slots * periodMs);
    const seconds = (performance.now() - startedMs) / 1000;
    const after = await bus.counts();
    const answers = await this.#all({ ask: 'report' });
    const [lead, ...rest] = answers;
    if (!lead) throw new RangeError('no conductor');
    const records = tookMs(answers, 'taken', agents);
    if (records.length < slots / 2) this.#sayWhy(answers);

    log(`${agents} agents: ${generations} generations`);
    await this.#all({ ask: 'begin' });
    let sealed: readonly number[] = [];
    for (let i = 0; i < generations; i += 1) {
      await this.#all({ ask: 'leave', node: nameOf(agents - 1 - i) });
      const [endMs, had] = [Date.now() + GENERATION_SLOTS * periodMs, sealed.length];
      while (sealed.length === had && Date.now() < endMs) {
        await sleep(POLL_MS);
        sealed = tookMs(await this.#all({ ask: 'report' }), 'rooted', agents - generations);
      }
    }

    const crewCpuMs = rest.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const crewBytes = rest.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
    return {
      agents,
      peers: plan.peers,
      periodMs,
      renewMs: plan.renewMs,
      records: records.length,
      recordMs: tookOf(records),
      generations: sealed.length,
      generationMs: tookOf(sealed),
      conductor: { corePercent: lead.cpuMs / seconds / 10, mebibytes: lead.rssBytes / 2 ** 20 },
      agent: {
        corePercent: crewCpuMs / seconds / 10 / (agents - 1),
        mebibytes: crewBytes / 2 ** 20 / (agents - 1),
      },
      bus: {
        inMessagesPerSecond: (after.inMessages - before.inMessages) / seconds,
        outMessagesPerSecond: (after.outMessages - before.outMessages) / seconds,
        inBytesPerSecond: (after.inBytes - before.inBytes) / seconds,
        outBytesPerSecond: (after.outBytes - before.outBytes) / seconds,
        corePercent: ((after.cpuSeconds - before.cpuSeconds) / seconds) * 100,
        mebibytes: after.rssBytes / 2 ** 20,
      },
    };
  }

  /** Of agents that did not take every record. */
  #sayWhy(answers: readonly CrewAnswer[]): void {
    const { log } = this.#o;
    for (const { newest, stray } of answers) {
      log(`newest records: ${JSON.stringify(newest)}`);
      for (const text of stray.slice(0, MOST_NAMED)) log(text);
    }
  }

  #all(request: CrewRequest): Promise<CrewAnswer[]> {
    return Promise.all([this.#o.conductor, ...this.#o.crews].map((crew) => crew.ask(request)));
  }

  async #untilAll(are: 'admitted' | 'acquainted', what: string): Promise<void> {
    const { plan, log } = this.#o;
    const { agents } = plan;
    let saidAtMs = Date.now();
    await this.#until(what, async () => {
      const answers = await this.#all({ ask: 'state' });
      const sum = answers.reduce((before, answer) => before + answer[are], 0);
      if (Date.now() - saidAtMs >= SAY_AGAIN_MS) {
        saidAtMs = Date.now();
        log(`${agents} agents: ${sum} ${are}`);
      }
      return sum === agents;
    });
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (const endMs = Date.now() + READY_MS; !(await isSo()); await sleep(POLL_MS)) {
      if (Date.now() < endMs) continue;
      throw new TidelockError('RIG_PROGRAM', {
        op: 'bench.epochs',
        message: `Waited ${READY_MS / 60_000} minutes in vain until ${what}`,
        hint: 'Measure fewer agents with --agents, or on a machine that has less else to do.',
      });
    }
  }
}

/** Of each record that at least so many agents have, from its publication to the last of them. */
function tookMs(answers: readonly CrewAnswer[], what: 'taken' | 'rooted', least: number): number[] {
  // Who conducts may change; a record that is put back is published once more.
  const published = new Map<string, number>();
  for (const answer of answers) {
    for (const [hash, atMs] of Object.entries(answer.published)) {
      published.set(hash, Math.min(atMs, published.get(hash) ?? Infinity));
    }
  }
  return [...published].flatMap(([hash, atMs]) => {
    const times = answers.flatMap((answer) => answer[what][hash] ?? []);
    return times.length >= least ? [Math.max(...times) - atMs] : [];
  });
}

const tookOf = (values: readonly number[]): Took => ({
  p50: medianOf(values),
  max: Math.max(...values),
});
