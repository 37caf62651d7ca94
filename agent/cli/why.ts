// `tidelock why`: one chain of causes from a pod to where it wants to go; the first broken link is the
// answer.
import { EXIT } from '#agent/base/codes.ts';
import { whySchema } from '#agent/api/why.ts';
import { whyText } from '#agent/api/whyText.ts';
import { readQuestion } from '#agent/why/question.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock why`. */
export const why = defineVerb({
  name: 'why',
  operands: { form: '<pod> [to <pod>[:port]]', min: 1, max: 3 },
  flags: AGENT_FLAGS,
  about:
    'Says why a pod of this node is carried or not: inventory, redirect, attestation, policy, keys, peer and last refusals, in the order in which one depends on the other, with the remedy for the first that is broken. A pod is NAMESPACE/NAME, a uid, an address or a SPIFFE ID; other nodes announce all of it but the name. A destination may also be a service of the inventory: NAMESPACE/NAME, NAME.NAMESPACE.svc or its address. From an address without an agent to a pod it says what becomes of plaintext. Exits 0 with the answer, whatever it is. It tries the lane port of the peer once. Needs root.',
  example:
    'tidelock why shop/web-0\ntidelock why shop/web-0 to spiffe://example.org/prod/shop/db:5432\ntidelock why shop/web-0 to 198.19.2.10:5432 -o json\ntidelock why shop/web-0 to db.shop.svc:5432\ntidelock why 198.18.0.2 to shop/web-0:8080',
  run: async (invocation) => {
    const [pod = '', word, destination] = invocation.operands;
    if (word !== undefined && (word !== 'to' || destination === undefined)) {
      throw usage('why', 'it takes <pod> [to <pod>[:port]]');
    }
    readQuestion(pod, destination); // refused here, the agent need not be asked
    const query = new URLSearchParams({ pod, ...(destination && { to: destination }) });
    const answer = await askAgentOf('why', invocation, `/why?${query.toString()}`, whySchema);
    printResult(invocation, 'Why', answer, whyText(answer));
    return EXIT.ok;
  },
});
