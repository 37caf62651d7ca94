// The verb `lanes` of the bench: builds the bed, measures every subject in turn, run by run, and hands
// back what it found. A stop ends it after the measurement under way, with what there is by then.
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { makeBed, type Subject } from './bed.ts';
import { benchChart } from './chart.ts';
import {
  measureBulk,
  measureConnections,
  measureMemory,
  measureRoundTrip,
  type Effort,
  type Values,
} from './figures.ts';
import { machineOf } from './machine.ts';
import {
  benchResult,
  type BenchResult,
  type Failure,
  type FigureName,
  type Sample,
} from './result.ts';
import { installPeers } from './packages.ts';
import { PROGRAM } from './program.ts';
import { benchPage } from './table.ts';

/** Threads of each proxy: as many as the machines that CI has. */
const WORKERS = 2;
const RUNS = 5;
const MAX_RUNS = 50;
/** Until a just-in-time compiler is done with code that each connection runs through once. */
const WARM_UP_ROUNDS = 6;
const FULL: Effort = {
  bulkSeconds: 3,
  connectionSeconds: 3,
  roundTrips: 4000,
  atOnce: 32,
  idleLanes: 1000,
};
const QUICK: Effort = { ...FULL, bulkSeconds: 1, connectionSeconds: 1, roundTrips: 1000 };

interface Plan {
  readonly runs: number;
  readonly effort: Effort;
  readonly only: readonly string[];
  readonly probes: boolean;
  readonly stop: AbortSignal;
  readonly log: (line: string) => void;
}

/** `npm run bench -- lanes`. */
export const lanes = defineVerb({
  name: 'lanes',
  flags: {
    runs: { type: 'string', value: 'N', help: `runs of everything, ${RUNS}` },
    quick: {
      type: 'boolean',
      help: 'one run of short measurements: whether it works, not how fast',
    },
    probes: { type: 'boolean', help: "with the agents' probes, for which every subject pays" },
    only: { type: 'strings', value: 'SUBJECT', help: 'measure only this one; may be repeated' },
    out: { type: 'string', value: 'DIR', help: 'also write lanes.md and lanes.svg there' },
  },
  about:
    'Measures lanes beside the same way without a proxy, a plain relay, and HAProxy, nginx and stunnel with mutual TLS 1.3, in turn on this machine. Needs root, haproxy, libnginx-mod-stream, stunnel4 and iperf3.',
  example: 'npm run -s bench -- lanes --runs 5 -o json',
  run: async ({ flags, output, terminal }) => {
    const result = await runLanes({
      runs: flags.quick && flags.runs === undefined ? 1 : runsOf(flags.runs),
      effort: flags.quick ? QUICK : FULL,
      only: flags.only,
      probes: flags.probes,
      stop: terminal.stopSignal(),
      log: (line) => terminal.err(`${line}\n`),
    });
    if (flags.out !== undefined) writePage(resolve(terminal.cwd, flags.out), result);
    printResult({ terminal, output }, result.kind, result, benchPage(result));
    return result.failures.length === 0 ? EXIT.ok : EXIT.internal;
  },
});

/** Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, USAGE for a subject that is none. */
async function runLanes({ runs, effort, only, probes, stop, log }: Plan): Promise<BenchResult> {
  await installPeers(log);
  await using bed = await makeBed({ workers: WORKERS, probes, log: (line) => log(`  ${line}`) });
  const machine = await machineOf(bed.rig);
  const subjects = chosen(bed.subjects, only);
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const note = async (run: number, subject: Subject, work: Promise<Values>): Promise<void> => {
    try {
      for (const [figure, value] of Object.entries(await work) as [FigureName, number][]) {
        samples.push({ run, subject: subject.name, figure, value });
      }
    } catch (thrown) {
      failures.push({ run, subject: subject.name, message: messageOf(thrown) });
    }
  };
  // Compilers, caches and pools of all of them know their work before anything is counted.
  log('warming up');
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    for (const subject of subjects) {
      if (!stop.aborted) await measureConnections(bed.rig, subject, effort).catch(() => undefined);
    }
  }
  for (const subject of subjects) {
    if (!stop.aborted) await note(1, subject, measureMemory(bed.rig, subject, effort));
  }
  for (let run = 1; run <= runs && !stop.aborted; run += 1) {
    log(`run ${run} of ${runs}`);
    for (const measure of MEASUREMENTS) {
      // Each run begins with another subject, so that none always follows the same.
      for (const subject of rotated(subjects, run)) {
        if (!stop.aborted) await note(run, subject, measure(bed.rig, subject, effort));
      }
    }
  }
  return benchResult({ machine, subjects, samples, failures });
}

type Measure = (rig: Rig, subject: Subject, effort: Effort) => Promise<Values>;

const MEASUREMENTS: readonly Measure[] = [
  (rig, subject, effort) => measureBulk(rig, subject, 1, effort),
  (rig, subject, effort) => measureBulk(rig, subject, 8, effort),
  (rig, subject, effort) => measureBulk(rig, subject, 32, effort),
  measureConnections,
  measureRoundTrip,
];

const rotated = <T>(all: readonly T[], by: number): readonly T[] => {
  const at = by % Math.max(all.length, 1);
  return [...all.slice(at), ...all.slice(0, at)];
};

function chosen(subjects: readonly Subject[], only: readonly string[]): readonly Subject[] {
  const names = subjects.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const state = `--only is ${JSON.stringify(unknown)} and must be ${names.join('; ')}`;
    throw usage('lanes', state, PROGRAM);
  }
  return only.length === 0 ? subjects : subjects.filter(({ name }) => only.includes(name));
}

function runsOf(given: string | undefined): number {
  if (given === undefined) return RUNS;
  const runs = Number(given);
  if (Number.isInteger(runs) && runs >= 1 && runs <= MAX_RUNS) return runs;
  throw usage('lanes', `--runs is ${JSON.stringify(given)} and must be 1 to ${MAX_RUNS}`, PROGRAM);
}

function writePage(dir: string, result: BenchResult): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/lanes.md`, benchPage(result, 'lanes.svg'));
  writeFileSync(`${dir}/lanes.svg`, benchChart(result));
}
