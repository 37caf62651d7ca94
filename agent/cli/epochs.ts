// `tidelock epochs`: the epoch plane as the agent of this node sees it, once or until interrupted.
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { epochsSchema, type Epochs } from '#agent/api/epochs.ts';
import { epochsText } from '#agent/api/epochsText.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { printError, printResult } from './output.ts';
import { defineVerb, type Invocation } from './verb.ts';

const FLAGS = {
  ...AGENT_FLAGS,
  watch: { type: 'boolean', help: 'go on until interrupted; with -o json a line for each slot' },
} as const;

const EVERY_MS = 1000;
/** Home, and nothing below (ECMA-48 8.3.57, 8.3.39). */
const CLEAR = '\u001b[H\u001b[J';

/** `tidelock epochs`. */
export const epochs = defineVerb({
  name: 'epochs',
  flags: FLAGS,
  about:
    'Shows how keys rotate: conductor, slot, the chains in effect and who confirmed them, records, outages, last events. With --watch it goes on, each second on a screen and else once a slot, also while the agent is away. Needs root.',
  example: 'tidelock epochs\ntidelock epochs --watch\ntidelock epochs --node node-a -o json',
  run: async (invocation) => {
    const first = await ask(invocation);
    if (invocation.flags.watch) return watch(invocation, first);
    show(invocation, first);
    return EXIT.ok;
  },
});

const ask = (invocation: Invocation<typeof FLAGS>): Promise<Epochs> =>
  askAgentOf('epochs', invocation, '/epochs', epochsSchema);

const show = (invocation: Invocation<typeof FLAGS>, answer: Epochs): void =>
  printResult(invocation, 'Epochs', answer, epochsText(answer));

async function watch(invocation: Invocation<typeof FLAGS>, first: Epochs): Promise<ExitCode> {
  const { terminal, output } = invocation;
  const stop = terminal.stopSignal();
  const isScreen = terminal.isScreen === true && output === 'text';
  let answer: Epochs | undefined = first;
  let shownSlot: number | undefined;
  let problem = '';
  while (!stop.aborted) {
    if (answer && (isScreen || answer.slot !== shownSlot)) {
      if (isScreen) terminal.out(CLEAR);
      show(invocation, answer);
      shownSlot = answer.slot;
      problem = '';
    }
    await pause(EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    try {
      answer = await ask(invocation);
    } catch (thrown) {
      const error = asTidelockError(thrown, 'epochs.watch');
      if (error.message !== problem) printError(terminal, error, output); // once, not each second
      problem = error.message;
      answer = undefined;
    }
  }
  return EXIT.ok;
}
