// `tidelock status`: asks the agent of this node over its control socket and shows the answer.
import { EXIT } from '#agent/base/codes.ts';
import { statusSchema } from '#agent/api/status.ts';
import { statusText } from '#agent/api/statusText.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock status`. */
export const status = defineVerb({
  name: 'status',
  flags: AGENT_FLAGS,
  about:
    'Shows what the agent of this node sees and does: verdict, epochs, peers, lanes, pods, last events. Needs root.',
  example: 'tidelock status\ntidelock status --run-dir /run/tidelock/node-a -o json',
  run: async (invocation) => {
    const answer = await askAgentOf('status', invocation, '/status', statusSchema);
    printResult(invocation, 'Status', answer, statusText(answer));
    return EXIT.ok;
  },
});
