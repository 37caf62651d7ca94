// The program behind `npm run leak`: its flags, and what it prints.
import { EXIT } from '#agent/base/codes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { printResult } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { runLeak } from './leak.ts';
import { leakText } from './result.ts';

const PROGRAM = 'npm run leak --';
const CONNECTIONS = 1_000_000;
const MAX_CONNECTIONS = 1_000_000_000;
const ROWS = 10;

/** `npm run leak`. */
const leak = defineVerb({
  name: '',
  flags: {
    connections: { type: 'string', value: 'N', help: `how many are made, ${CONNECTIONS}` },
  },
  about:
    'Makes a million connections between pods of two nodes on this machine, and counts descriptors, memory, namespaces, rules and processes before, ten times meanwhile, and after. Ends with 3 where something grew beyond what is allowed, a connection failed, or so few were made that nothing can be said. Needs root.',
  example: 'npm run -s leak -- --connections 1000000 -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const connections = countOf(flags.connections);
    const result = await runLeak({
      connections,
      every: Math.ceil(connections / ROWS),
      say: (line) => terminal.err(`${new Date().toISOString().slice(11, 19)}  ${line}\n`),
      stop: terminal.stopSignal(),
    });
    printResult(invocation, result.kind, result, leakText(result));
    return result.ok ? EXIT.ok : EXIT.notVerified;
  },
});

function countOf(text = String(CONNECTIONS)): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0 && count <= MAX_CONNECTIONS) return count;
  const range = `a whole number from 1 to ${MAX_CONNECTIONS}`;
  throw usage('', `--connections is ${JSON.stringify(text)} and must be ${range}`, PROGRAM);
}

process.exitCode = await runOneVerb(leak, process.argv.slice(2), processTerminal(), PROGRAM);
