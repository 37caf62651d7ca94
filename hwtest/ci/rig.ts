// `hwtest/ci/rig`: brings a rig up in the background, enters it, tells about it and takes it down. It
// returns while the rig lives on with its keeper.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { askAgent } from '#agent/api/client.ts';
import { statusSchema } from '#agent/api/status.ts';
import { EXIT } from '#agent/base/codes.ts';
import { asTidelockError, messageOf, TidelockError } from '#agent/base/errors.ts';
import { printError } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { requireRoot } from '#hwtest/rig/preflight.ts';
import { inPlace, type Argv } from '#hwtest/rig/program.ts';
import { isInStep } from '#hwtest/suites/twoNodes.ts';
import { down, liveFacts, up } from './background.ts';
import { asDotenv, asShell, environmentOf } from './environment.ts';
import type { Facts } from './state.ts';

const USAGE = `rig up [--plan FILE]      build it, wait until its agents are in step, print its environment
rig env                   print its environment again
rig exec WHERE -- ARGV    run a program where a pod or node lives
rig status                what its agents say; 0 when they are in step
rig down                  end and remove everything
  --name NAME             of several rigs beside each other; "default" without
  -o sh|env|json          form of the environment: export lines, KEY=VALUE lines, JSON
`;

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const OUTPUTS = ['sh', 'env', 'json'];

const terminal = processTerminal();
const { options, operands } = parsed();

function parsed() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        name: { type: 'string', default: 'default' },
        plan: { type: 'string' },
        output: { type: 'string', short: 'o', default: 'sh' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return { options: values, operands: positionals };
  } catch (cause) {
    printError(terminal, usage(messageOf(cause)), 'text');
    process.exit(EXIT.usage);
  }
}

async function perform([verb, ...rest]: readonly string[]): Promise<number> {
  const { name, plan, output, help } = options;
  if (help) return print(USAGE);
  if (!NAME.test(name)) throw usage(`--name is ${JSON.stringify(name)}`);
  if (!OUTPUTS.includes(output)) throw usage(`-o is ${JSON.stringify(output)}`);
  requireRoot();
  switch (verb) {
    case 'up':
      terminal.err('building two nodes, a minute at most\n');
      return print(environment(await up(name, plan, terminal.stopSignal())));
    case 'env':
      return print(environment(liveFacts(name)));
    case 'exec':
      return exec(liveFacts(name), rest);
    case 'status':
      return status(liveFacts(name));
    case 'down':
      await down(name);
      return EXIT.ok;
    default:
      throw usage(verb === undefined ? 'it needs a verb' : `it has no verb ${verb}`);
  }
}

function print(text: string): number {
  terminal.out(text);
  return EXIT.ok;
}

function environment(facts: Facts): string {
  const variables = environmentOf(facts);
  if (options.output === 'env') return asDotenv(variables);
  if (options.output === 'sh') return asShell(variables);
  return `${JSON.stringify({ ...facts, environment: Object.fromEntries(variables) })}\n`;
}

/** The exit code of a program that runs where a pod or node lives, with our own three streams. */
async function exec(facts: Facts, [where, ...argv]: readonly string[]): Promise<number> {
  const found = [...facts.nodes, ...facts.pods].find(({ name }) => name === where);
  const [command, ...args] = argv;
  if (found === undefined || command === undefined) {
    const names = [...facts.nodes, ...facts.pods].map(({ name }) => name);
    throw usage(`exec needs one of ${names.join(', ')}, and a program after --`);
  }
  const netns = { name: found.name, path: found.netns };
  const place = { netns, cgroup: found.cgroup, rigId: facts.id };
  const [program, ...rest]: Argv = inPlace(place, [command, ...args]);
  const env = { ...process.env, HWTEST_RIG: facts.id };
  const child = spawn(program, rest, { stdio: 'inherit', env, detached: true });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']),
    );
  });
}

async function status({ nodes }: Facts): Promise<number> {
  const told = await Promise.all(
    nodes.map(async ({ name, socket }) => {
      try {
        const found = statusSchema.parse(await askAgent(socket, '/status'));
        return { node: name, verdict: found.node.verdict, inStep: isInStep(found) };
      } catch (thrown) {
        return { node: name, verdict: 'none', inStep: false, problem: messageOf(thrown) };
      }
    }),
  );
  const lines = told.map(
    ({ node, verdict, inStep, problem }) =>
      `${node}  ${verdict}  ${inStep ? 'in step' : (problem ?? 'not in step')}\n`,
  );
  terminal.out(options.output === 'json' ? `${JSON.stringify({ nodes: told })}\n` : lines.join(''));
  return told.every(({ inStep }) => inStep) ? EXIT.ok : EXIT.unreachable;
}

function usage(state: string): TidelockError {
  return new TidelockError('USAGE', {
    op: 'ci.rig',
    message: `Cannot run rig: ${state}`,
    hint: USAGE,
  });
}

try {
  process.exitCode = await perform(operands);
} catch (thrown) {
  printError(
    terminal,
    asTidelockError(thrown, 'ci.rig'),
    options.output === 'json' ? 'json' : 'text',
  );
  process.exitCode = asTidelockError(thrown, 'ci.rig').exitCode;
}
