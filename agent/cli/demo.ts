// `tidelock demo`: flags in, result out. What it shows lives with the rig in hwtest/, which is loaded
// only here and only when asked for.
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

const DEFAULT_OUT = 'tidelock-demo';
const MAX_SECONDS = 86_400;

/** `tidelock demo`. */
export const demo = defineVerb({
  name: 'demo',
  flags: {
    for: { type: 'string', value: 'SECONDS', help: 'end by itself after so long' },
    out: { type: 'string', value: 'DIR', help: `where the reports go, ./${DEFAULT_OUT}` },
    clean: { type: 'boolean', help: 'only remove what a killed demo left behind' },
  },
  about:
    'Builds a two-node cluster of network namespaces and software TPMs on this machine, carries the traffic of real programs through it, and shows what held. Runs until Ctrl-C and then removes everything but the reports. Needs root.',
  example: 'tidelock demo\ntidelock demo --for 60 -o json',
  run: async ({ flags, output, terminal }) => {
    const { cleanDemo, exitCodeOf, runDemo } = await import('#hwtest/demo/demo.ts');
    const { cleanedText, resultText } = await import('#hwtest/demo/result.ts');
    if (flags.clean) {
      const cleaned = await cleanDemo();
      printResult({ terminal, output }, 'DemoCleaned', cleaned, cleanedText(cleaned));
      return cleaned.leftovers === 0 ? EXIT.ok : EXIT.internal;
    }
    const result = await runDemo({
      forMs: flags.for === undefined ? undefined : secondsOf(flags.for) * 1_000,
      outDir: resolve(terminal.cwd, flags.out ?? DEFAULT_OUT),
      env: terminal.env,
      screen: {
        write: (text) => terminal.err(text),
        get columns() {
          return process.stderr.isTTY ? process.stderr.columns : undefined;
        },
      },
      stop: terminal.stopSignal(),
    });
    printResult({ terminal, output }, result.kind, result, resultText(result));
    return exitCodeOf(result);
  },
});

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 1 && seconds <= MAX_SECONDS) return seconds;
  throw usage('demo', `--for is ${JSON.stringify(text)} and must be 1 to ${MAX_SECONDS} seconds`);
}
