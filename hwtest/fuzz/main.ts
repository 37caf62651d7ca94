// The program behind `npm run fuzz`: one verb, whose name need not be given.
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { fuzz } from './fuzz.ts';

process.exitCode = await runCommandLine(['fuzz', ...process.argv.slice(2)], processTerminal(), [
  {
    name: 'fuzz',
    summary: 'feed every parser of evidence with what should break it',
    load: () => Promise.resolve({ call: (use) => use(fuzz) }),
  },
]);
