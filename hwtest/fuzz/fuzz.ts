// The verb `fuzz`: spreads inputs over all targets, runs them one after the other, and keeps what fails.
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { join, resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import type { Finding } from './protocol.ts';
import { fuzzResult, fuzzText } from './result.ts';
import { fuzzTarget, LIMITS, type TargetResult } from './run.ts';
import { TARGETS } from './targets.ts';
import type { Target } from './target.ts';

/** How it is called. */
export const PROGRAM = 'npm run fuzz --';

const INPUTS = 1_000_000;
const MAX_INPUTS = 1e9;
const MAX_SEED = 2 ** 32 - 1;
const MIB = 1 << 20;
const LOOK_MS = 500;

/** `npm run fuzz`. */
export const fuzz = defineVerb({
  name: '',
  flags: {
    inputs: { type: 'string', value: 'N', help: 'inputs in all; 1000000 by default' },
    seed: { type: 'string', value: 'S', help: 'repeats a run; another one each time by default' },
    only: { type: 'strings', value: 'WORD', help: 'targets whose names hold it; may be repeated' },
    out: { type: 'string', value: 'DIR', help: 'where failing inputs are written' },
  },
  about:
    'Feeds every parser and every judge of evidence with samples that were changed: bits, bytes, lengths, ends, pieces of other samples; those that reach new code are kept and changed further. It finds errors that are no refusals, inputs that take over a second or half a gigabyte, and judges that believe what no sample says. Ends with 3 when it found something.',
  example: 'npm run -s fuzz -- --inputs 100000 --only TDX --out findings -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const inputs = wholeNumber('inputs', flags.inputs, INPUTS, MAX_INPUTS);
    const seed = wholeNumber('seed', flags.seed, randomInt(MAX_SEED), MAX_SEED);
    const targets = chosen(flags.only);
    const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
    const stop = terminal.stopSignal();
    using memory = watchMemory();
    const start = performance.now();
    const results: TargetResult[] = [];
    for (const { name: target, weight } of targets) {
      if (stop.aborted) break;
      const share = Math.ceil((inputs * weight) / weights);
      terminal.err(`${target}: ${share} inputs\n`);
      const plan = { module: TARGETS_URL, target, inputs: share, seed, ...LIMITS };
      const result = await fuzzTarget(plan, stop);
      results.push(result);
      if (flags.out !== undefined) writeFindings(resolve(terminal.cwd, flags.out), result.findings);
    }
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    const spent = { seconds, cpuSeconds, residentMib: memory.mostMib() };
    const result = fuzzResult(results, { seed, ...spent });
    printResult(invocation, result.kind, result, fuzzText(result));
    return result.findings.length === 0 ? EXIT.ok : EXIT.notVerified;
  },
});

const TARGETS_URL = new URL('./targets.ts', import.meta.url).href;

function chosen(words: readonly string[]): readonly Target[] {
  const holds = ({ name }: Target): boolean =>
    words.length === 0 || words.some((w) => name.includes(w));
  const targets = TARGETS.filter(holds);
  if (targets.length > 0) return targets;
  const names = TARGETS.map(({ name }) => name).join('; ');
  throw usage('', `no target is called ${words.join(' or ')}; there are ${names}`, PROGRAM);
}

function wholeNumber(flag: string, given: string | undefined, usual: number, max: number): number {
  if (given === undefined) return usual;
  const value = Number(given);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw usage('', `--${flag} is ${JSON.stringify(given)} and must be 1 to ${max}`, PROGRAM);
}

function writeFindings(directory: string, findings: readonly Finding[]): void {
  if (findings.length > 0) mkdirSync(directory, { recursive: true });
  for (const [index, { target, failure, input }] of findings.entries()) {
    const name = `${target}-${failure}-${index}`.replaceAll(/[^\w-]+/g, '-');
    writeFileSync(join(directory, name), input);
  }
}

/** The threads share one process, so that its resident memory is that of the run. */
function watchMemory(): Disposable & { mostMib(): number } {
  let most = process.memoryUsage.rss();
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, LOOK_MS);
  return { mostMib: () => most / MIB, [Symbol.dispose]: () => clearInterval(timer) };
}
