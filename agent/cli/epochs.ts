// `tidelock epochs`: the epoch plane as the agent of this node sees it.
import { EXIT } from '#agent/base/codes.ts';
import { epochsSchema } from '#agent/api/epochs.ts';
import { epochsText } from '#agent/api/epochsText.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock epochs`. */
export const epochs = defineVerb({
  name: 'epochs',
  flags: AGENT_FLAGS,
  about:
    'Shows how keys rotate: conductor, slot, the chains in effect and who confirmed them, records, outages, last events. Needs root.',
  example: 'tidelock epochs\ntidelock epochs --node node-a -o json',
  run: async (invocation) => {
    const answer = await askAgentOf('epochs', invocation, '/epochs', epochsSchema);
    printResult(invocation, 'Epochs', answer, epochsText(answer));
    return EXIT.ok;
  },
});
