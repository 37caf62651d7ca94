// `tidelock lanes`: the live connections of this node, asked of its agent.
import { EXIT } from '#agent/base/codes.ts';
import { lanesSchema } from '#agent/api/lanes.ts';
import { lanesText } from '#agent/api/lanesText.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { printResult } from './output.ts';
import { defineVerb, type Flags } from './verb.ts';

const FLAGS = {
  pod: { type: 'string', value: 'NAMESPACE/NAME', help: 'only those of this pod, or of this uid' },
  peer: { type: 'string', value: 'NODE', help: 'only those to and from this node' },
  ...AGENT_FLAGS,
} as const satisfies Flags;

/** `tidelock lanes`. */
export const lanes = defineVerb({
  name: 'lanes',
  flags: FLAGS,
  about:
    'Lists the live connections of this node: who talks to whom, by which rule, under which chain, for how long and how much; then totals and what was refused. Needs root.',
  example: 'tidelock lanes\ntidelock lanes --pod shop/web-0 --peer node-b -o json',
  run: async (invocation) => {
    const { pod, peer } = invocation.flags;
    const query = new URLSearchParams({ ...(pod && { pod }), ...(peer && { peer }) });
    const answer = await askAgentOf('lanes', invocation, `/lanes?${query.toString()}`, lanesSchema);
    printResult(invocation, 'Lanes', answer, lanesText(answer));
    return EXIT.ok;
  },
});
