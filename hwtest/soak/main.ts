// The program behind `npm run soak`: its flags, and what it prints.
import { EXIT } from '#agent/base/codes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { printResult } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { soakText } from './result.ts';
import { runSoak } from './soak.ts';

const PROGRAM = 'npm run soak --';
const SECONDS = 600;
const MIN_SECONDS = 30;
const MAX_SECONDS = 604_800;

/** `npm run soak`. */
const soak = defineVerb({
  name: '',
  flags: {
    for: { type: 'string', value: 'SECONDS', help: `how long programs talk, ${SECONDS}` },
  },
  about:
    'nginx, redis, PostgreSQL with pgbench, iperf3, gRPC and WebSocket talk between two nodes on this machine, with new keys every 5 s, while a data plane is killed, a worker thread crashes, another build takes over, NATS goes away and the conductor changes. Ends with 3 where a program saw an error that no crash explains. Needs root.',
  example: 'npm run -s soak -- --for 600 -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const result = await runSoak({
      forMs: secondsOf(flags.for) * 1_000,
      say: (line) => terminal.err(`${new Date().toISOString().slice(11, 19)}  ${line}\n`),
      stop: terminal.stopSignal(),
    });
    printResult(invocation, result.kind, result, soakText(result));
    return result.ok ? EXIT.ok : EXIT.notVerified;
  },
});

function secondsOf(text = String(SECONDS)): number {
  const seconds = Number(text);
  if (seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return seconds;
  const range = `${MIN_SECONDS} to ${MAX_SECONDS} seconds`;
  throw usage('', `--for is ${JSON.stringify(text)} and must be ${range}`, PROGRAM);
}

process.exitCode = await runOneVerb(soak, process.argv.slice(2), processTerminal(), PROGRAM);
