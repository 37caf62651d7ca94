// `hwtest/ci/rig`: brings a rig up in the background, enters it, tells about it and takes it down. It
// returns while the rig lives on with its keeper.
import { constants } from 'node:os';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { askAgent } from '#agent/api/client.ts';
import { statusSchema } from '#agent/api/status.ts';
import { EXIT } from '#agent/base/codes.ts';
import { asTidelockError, messageOf, TidelockError } from '#agent/base/errors.ts';
import { printError } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { cleanLeftovers, leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import { isAlive } from '#hwtest/rig/owner.ts';
import { requirePreflight, requireRoot } from '#hwtest/rig/preflight.ts';
import { inPlace, logTail, type Argv } from '#hwtest/rig/program.ts';
import { isInStep } from '#hwtest/suites/twoNodes.ts';
import { asDotenv, asShell, environmentOf } from './environment.ts';
import { readPlan } from './plan.ts';
import { claim, logOf, readState, removeState, type Facts, type State } from './state.ts';

const USAGE = `rig up [--plan FILE]      build it, wait until its agents are in step, print its environment
rig env                   print its environment again
rig exec WHERE -- ARGV    run a program where a pod or node lives
rig status                what its agents say; 0 when they are in step
rig down                  end and remove everything
  --name NAME             of several rigs beside each other; "default" without
  -o sh|env|json          form of the environment: export lines, KEY=VALUE lines, JSON
`;

const UP_WITHIN_MS = 240_000;
const DOWN_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;
const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const OUTPUTS = ['sh', 'env', 'json'];

const terminal = processTerminal();
const { options, operands } = parsed();
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
      return print(environment(await up(name, plan)));
    case 'env':
      return print(environment(liveFacts(name)));
    case 'exec':
      return exec(liveFacts(name), rest);
    case 'status':
      return status(liveFacts(name));
    case 'down':
      return down(name);
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

/** Errors: USAGE, RIG_PREREQUISITE, RIG_PROGRAM. */
async function up(name: string, plan: string | undefined): Promise<Facts> {
  const planFile = plan === undefined ? undefined : resolve(plan);
  readPlan(planFile); // its mistakes are told before anything is built
  await requirePreflight();
  if (readState(name) !== undefined && liveState(name) === undefined) await down(name);
  if (!claim(name)) {
    throw new TidelockError('USAGE', {
      op: 'ci.up',
      message: `Cannot bring up the rig ${name}: it is there already`,
      hint: 'Take it down first (rig down), or give another one another --name.',
    });
  }
  terminal.err('building two nodes, a minute at most\n');
  const pid = startKeeper(name, planFile);
  const stop = terminal.stopSignal();
  const deadline = performance.now() + UP_WITHIN_MS;
  for (;;) {
    const state = readState(name);
    if (state?.phase === 'up' && state.facts !== undefined) return state.facts;
    if (stop.aborted || performance.now() > deadline || hasEnded(pid, state)) {
      const log = logTail(logOf(name));
      await down(name);
      throw notUp(name, state, stop.aborted ? 'interrupted' : `its log says: ${log}`);
    }
    await pause(LOOK_EVERY_MS);
  }
}

const notUp = (name: string, state: State | undefined, otherwise: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'ci.up',
    message: `Cannot bring up the rig ${name}: ${state?.problem?.message ?? otherwise}`,
    hint: state?.problem?.hint ?? 'Everything was removed again; start it once more.',
  });

/** In a session of its own, with nothing of ours open: it outlives this process, however it ends. */
function startKeeper(name: string, planFile: string | undefined): number | undefined {
  const script = fileURLToPath(new URL('./keeper.ts', import.meta.url));
  const log = openSync(logOf(name), 'a', 0o600);
  const { TIDELOCK_PARENT_PID: _launcher, ...env } = process.env;
  const argv = planFile === undefined ? [script, name] : [script, name, planFile];
  const child = spawn(process.execPath, argv, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env,
  });
  child.once('error', () => undefined); // told by its pid
  child.unref();
  closeSync(log);
  return child.pid;
}

function hasEnded(pid: number | undefined, state: State | undefined): boolean {
  if (pid === undefined || state?.phase === 'failed') return true;
  if (state !== undefined) return !isAlive(state.keeper);
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

const liveState = (name: string): State | undefined => {
  const state = readState(name);
  return state !== undefined && isAlive(state.keeper) ? state : undefined;
};

/** Errors: RIG_PROGRAM when the rig is not up. */
function liveFacts(name: string): Facts {
  const facts = liveState(name)?.facts;
  if (facts !== undefined) return facts;
  throw new TidelockError('RIG_PROGRAM', {
    op: 'ci.find',
    message: `Cannot find the rig ${name}: it is not up`,
    hint: 'Bring it up with: rig up. A rig ends with its machine or job.',
  });
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
  const child = spawn(program, rest, { stdio: 'inherit', env });
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

/** Ends the keeper, then removes what it could not. Errors: RIG_REMOVE. */
async function down(name: string): Promise<number> {
  const state = readState(name);
  if (state !== undefined) {
    end(state, 'SIGTERM');
    const deadline = performance.now() + DOWN_WITHIN_MS;
    while (isAlive(state.keeper) && performance.now() < deadline) await pause(LOOK_EVERY_MS);
    end(state, 'SIGKILL');
  }
  await cleanLeftovers();
  const left = state?.facts === undefined ? 0 : totalOf(await leftovers(state.facts.id));
  if (left > 0) {
    throw new TidelockError('RIG_REMOVE', {
      op: 'ci.down',
      message: `Cannot remove the rig ${name}: ${left} things of it are left`,
      hint: 'A program of it may be stuck in the kernel; run rig down again.',
    });
  }
  removeState(name);
  return EXIT.ok;
}

function end({ keeper }: State, signal: NodeJS.Signals): void {
  if (isAlive(keeper)) process.kill(keeper.pid, signal);
}

function usage(state: string): TidelockError {
  return new TidelockError('USAGE', {
    op: 'ci.rig',
    message: `Cannot run rig: ${state}`,
    hint: USAGE,
  });
}
