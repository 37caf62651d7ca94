// The verb `lanes` of the bench: its flags, what it prints and the files that it writes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { benchChart } from './chart.ts';
import { SUBJECT_NAMES, runCourse } from './course.ts';
import type { Effort } from './measure.ts';
import { MEASUREMENT_NAMES } from './measurements.ts';
import type { BenchResult } from './result.ts';
import { PROGRAM, commandOf } from './program.ts';
import { benchPage } from './table.ts';

const RUNS = 5;
const MAX_RUNS = 50;
const ROTATIONS = 12;
const MAX_ROTATIONS = 1000;
const FULL: Effort = {
  bulkSeconds: 2,
  connectionSeconds: 2,
  requestSeconds: 1,
  roundTrips: 4000,
};
const QUICK: Effort = { bulkSeconds: 1, connectionSeconds: 1, requestSeconds: 1, roundTrips: 1000 };

/** `npm run bench -- lanes`. */
export const lanes = defineVerb({
  name: 'lanes',
  flags: {
    runs: { type: 'string', value: 'N', help: `runs of everything, ${RUNS}` },
    rotations: { type: 'string', value: 'N', help: `slots under load, in all, ${ROTATIONS}` },
    quick: {
      type: 'boolean',
      help: 'one run of short measurements: whether it works, not how fast',
    },
    only: {
      type: 'strings',
      value: 'FIGURE,...',
      help: `measure only these: ${MEASUREMENT_NAMES.join(', ')}`,
    },
    subjects: {
      type: 'strings',
      value: 'NAME,...',
      help: `measure only these: ${SUBJECT_NAMES.join(', ')}`,
    },
    against: { type: 'string', value: 'DIR', help: 'also measure the lanes of another checkout' },
    probes: { type: 'boolean', help: "with the agents' probes, for which every subject pays" },
    out: {
      type: 'string',
      value: 'DIR',
      help: 'also write lanes.md, lanes.svg and lanes.json there',
    },
  },
  about:
    'Measures lanes beside the same way without a proxy, a plain relay, HAProxy, nginx and stunnel with mutual TLS 1.3, and wireguard-go, in turn on this machine. Needs root; installs what is missing of them from Debian.',
  example: 'npm run -s bench -- lanes --only bulk1,connections --subjects tidelock,nginx',
  run: async ({ flags, output, terminal }) => {
    const result = await runCourse({
      command: commandOf('lanes', flags),
      runs: numberOf('--runs', flags.runs, flags.quick ? 1 : RUNS, MAX_RUNS),
      rotations: numberOf('--rotations', flags.rotations, ROTATIONS, MAX_ROTATIONS),
      effort: flags.quick ? QUICK : FULL,
      quick: flags.quick,
      only: namesOf('--only', flags.only, MEASUREMENT_NAMES),
      subjects: namesOf('--subjects', flags.subjects, SUBJECT_NAMES),
      against: flags.against,
      probes: flags.probes,
      stop: terminal.stopSignal(),
      log: (line) => terminal.err(`${line}\n`),
    });
    if (flags.out !== undefined) writeFiles(resolve(terminal.cwd, flags.out), result);
    printResult({ terminal, output }, result.kind, result, benchPage(result));
    return result.failures.length === 0 ? EXIT.ok : EXIT.internal;
  },
});

/** Errors: USAGE for a name that is none. */
function namesOf(
  flag: string,
  given: readonly string[],
  known: readonly string[],
): readonly string[] {
  const names = given.flatMap((each) => each.split(','));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  const state = `${flag} has ${JSON.stringify(unknown)} and may have ${known.join(', ')}`;
  throw usage('lanes', state, PROGRAM);
}

/** Errors: USAGE for what is not from 1 to `max`. */
function numberOf(flag: string, given: string | undefined, otherwise: number, max: number): number {
  const number = given === undefined ? otherwise : Number(given);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw usage('lanes', `${flag} is ${JSON.stringify(given)} and must be 1 to ${max}`, PROGRAM);
}

function writeFiles(dir: string, result: BenchResult): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/lanes.md`, benchPage(result, 'lanes.svg'));
  writeFileSync(`${dir}/lanes.svg`, benchChart(result));
  writeFileSync(`${dir}/lanes.json`, `${JSON.stringify(result, undefined, 2)}\n`);
}
