// The verb `epochs` of the bench: clusters of many virtual agents on one nats-server, one size after the other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { measureEpochs } from './epochsCluster.ts';
import { epochsPage, type EpochsBench, type EpochsRow } from './epochsResult.ts';
import { hostFacts } from './hostFacts.ts';
import { PROGRAM } from './program.ts';

const SIZES = [100, 1_000, 5_000];
const MAX_AGENTS = 20_000;
/**
 * All agents share the cores of one machine: the more there are, the longer a slot, so that it is not one queue. Each
 * uses so many peers, and hears twice as many: those that use it, too.
 */
const COURSES = [
  { upTo: 200, periodMs: 5_000, peers: 10, slots: 30, generations: 5 },
  { upTo: 2_000, periodMs: 20_000, peers: 10, slots: 18, generations: 5 },
  { upTo: Infinity, periodMs: 60_000, peers: 4, slots: 6, generations: 3 },
] as const;
const RENEW_MS = 600_000;

/** `npm run bench -- epochs`. */
export const epochs = defineVerb({
  name: 'epochs',
  flags: {
    agents: {
      type: 'strings',
      value: 'N',
      help: `size of a cluster; may be repeated, ${SIZES.join(', ')}`,
    },
    slots: {
      type: 'string',
      value: 'N',
      help: 'records that are timed; otherwise as many as take three to six minutes',
    },
    out: { type: 'string', value: 'DIR', help: 'also write epochs.md and epochs.json there' },
  },
  about:
    'Measures epochs in clusters of many agents on one real nats-server: from the publication of a record or a generation to the last agent, processor time and memory, messages and bytes on the bus. The agents are the epoch plane of the product, many to a process, without TPM and data plane.',
  example: 'npm run -s bench -- epochs --out docs/bench -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const sizes = flags.agents.length === 0 ? SIZES : flags.agents.map(sizeOf);
    const given =
      flags.slots === undefined ? undefined : countOf(flags.slots, '--slots', 1, 10_000);
    const machine = hostFacts();
    const rows: EpochsRow[] = [];
    const bench: EpochsBench = { kind: 'EpochsBench', machine, rows };
    for (const agents of sizes) {
      const course = COURSES.find((each) => agents <= each.upTo) ?? COURSES[0];
      const [peers, slots] = [Math.min(course.peers, agents - 1), given ?? course.slots];
      const plan = { ...course, agents, peers, slots, renewMs: RENEW_MS };
      rows.push(await measureEpochs(plan, (line) => terminal.err(`${line}\n`)));
      if (flags.out !== undefined) write(resolve(terminal.cwd, flags.out), bench);
    }
    printResult(invocation, bench.kind, bench, epochsPage(bench));
    return EXIT.ok;
  },
});

const sizeOf = (given: string): number => countOf(given, '--agents', 10, MAX_AGENTS);

function countOf(given: string, flag: string, least: number, most: number): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= least && count <= most) return count;
  const state = `${flag} is ${JSON.stringify(given)} and must be ${least} to ${most}`;
  throw usage('epochs', state, PROGRAM);
}

function write(directory: string, bench: EpochsBench): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'epochs.md'), epochsPage(bench));
  writeFileSync(join(directory, 'epochs.json'), `${JSON.stringify(bench, null, 2)}\n`);
}
