// The program behind `npm run bench`: its verbs, with the command line of the product.
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { evidence } from './evidence.ts';
import { lanes } from './lanes.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal(), [
  {
    name: 'lanes',
    summary: 'lanes beside other proxies: bulk, connections, round trips, memory',
    load: () => Promise.resolve({ call: (use) => use(lanes) }),
  },
  {
    name: 'evidence',
    summary: 'milliseconds and processor time to verify evidence of each kind',
    load: () => Promise.resolve({ call: (use) => use(evidence) }),
  },
]);
