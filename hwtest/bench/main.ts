// The program behind `npm run bench`: its verbs, with the command line of the product.
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import type { VerbEntry } from '#agent/cli/verbs.ts';
import { epochs } from './epochs.ts';
import { evidence } from './evidence.ts';
import { lanes } from './lanes.ts';
import { PROGRAM } from './program.ts';

const VERBS: readonly VerbEntry[] = [
  {
    name: 'lanes',
    summary: 'lanes beside other proxies: bulk, connections, round trips, memory',
    load: () => Promise.resolve({ call: (use) => use(lanes) }),
  },
  {
    name: 'epochs',
    summary: 'epochs of 100 to 5,000 agents on one bus: times, processor time, messages',
    load: () => Promise.resolve({ call: (use) => use(epochs) }),
  },
  {
    name: 'evidence',
    summary: 'milliseconds and processor time to verify evidence of each kind',
    load: () => Promise.resolve({ call: (use) => use(evidence) }),
  },
];

const argv = process.argv.slice(2);
process.exitCode = await runCommandLine(argv, processTerminal(), VERBS, PROGRAM);
