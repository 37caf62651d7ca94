// The program behind `npm run fuzz`.
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { fuzz, PROGRAM } from './fuzz.ts';

process.exitCode = await runOneVerb(fuzz, process.argv.slice(2), processTerminal(), PROGRAM);
