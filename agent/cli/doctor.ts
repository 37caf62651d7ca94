// `tidelock doctor` and `tidelock doctor explain`: looks at the machine, the TPM, the bus and a running
// agent, and says of each thing that is wrong why it is so and what to do. Changes nothing.
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { run } from '#agent/base/run.ts';
import { CHECKS } from '#agent/doctor/checks.ts';
import { openContext } from '#agent/doctor/context.ts';
import { examine, exitOf } from '#agent/doctor/doctor.ts';
import { explanationText, resultsText } from '#agent/doctor/text.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';
import { usage } from './arguments.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock doctor`. */
export const doctor = defineVerb({
  name: 'doctor',
  flags: {
    ...CONFIG_FLAGS,
    verbose: { type: 'boolean', short: 'v', help: 'also what each check looked at, and how long' },
  },
  about:
    'Checks this machine, its TPM, the bus and a running agent, each in bounded time, and says for everything that is wrong why and what to do. Changes nothing; exit 0 when nothing failed, 6 when a prerequisite is missing.',
  example: 'tidelock doctor --config /etc/tidelock/config.yaml\ntidelock doctor -o json',
  run: async (invocation) => {
    const { flags, terminal, output } = invocation;
    const signal = terminal.stopSignal();
    await using context = openContext({
      sources: configSources(flags, terminal),
      clock: systemClock,
      run,
      signal,
    });
    const results = await examine(CHECKS, {
      context,
      clock: systemClock,
      signal,
      onWaiting: (ids) => {
        if (output === 'text') terminal.err(`waiting for ${ids.join(', ')}\n`);
      },
    });
    const exit = exitOf(results, signal.aborted);
    const checks = results.map(({ exit: _exit, ...result }) => result);
    const text = resultsText(results, flags.verbose);
    printResult(invocation, 'Doctor', { ok: exit === EXIT.ok, checks }, text);
    return exit;
  },
});

/** `tidelock doctor explain`. */
export const doctorExplain = defineVerb({
  name: 'doctor explain',
  flags: {},
  operands: { form: '[ID...]', min: 0, max: CHECKS.length },
  about:
    'Explains checks of tidelock doctor without looking at anything: what each looks at, what needs it, what is usually wrong and the remedy. Without an id: all of them.',
  example: 'tidelock doctor explain bus-clock',
  run: async (invocation) => {
    const { operands } = invocation;
    const wanted = operands.length === 0 ? CHECKS : operands.map(checkOf);
    const checks = wanted.map(({ id, title, explanation, needs, exit }) => ({
      id,
      title,
      ...explanation,
      needs,
      exit,
    }));
    printResult(invocation, 'DoctorExplain', { checks }, wanted.map(explanationText).join('\n\n'));
    return EXIT.ok;
  },
});

function checkOf(id: string) {
  const found = CHECKS.find((check) => check.id === id);
  if (found) return found;
  const near = didYouMean(
    id,
    CHECKS.map((check) => check.id),
  );
  throw usage('doctor explain', `there is no check ${JSON.stringify(id.slice(0, 80))}${near}`);
}
