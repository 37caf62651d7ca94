// What an operator does about each reason for which a connection is refused. One table, so that no
// reason is without a remedy.
import type { Refusal } from '#proxy/counters.ts';
import type { Denial } from '#proxy/see/opening.ts';

/** By reason; a sentence or two. */
const REMEDIES: Readonly<Record<Refusal, string>> = {
  'not-trusted':
    'This node or its peer is not attested: see the verdict and the checks that did not pass in `tidelock status`.',
  'no-agent':
    'Run an agent on the destination’s node and list the pod in its inventory, or let such destinations pass with lanes.unmeshed: plain.',
  'address-conflict':
    'Two pods have one address, or a node announces what is not its own: `tidelock status` names the nodes.',
  'no-chain': 'The peer has confirmed no key in common yet: see `tidelock epochs` on both nodes.',
  'no-token':
    'The pod has no MAID token for this slot: see `tidelock epochs`; it comes with the next slot once the node is admitted.',
  policy: 'Add a rule for this pair to a ServiceAccessPolicy in policy.files.',
  'peer-unreachable':
    'The peer’s lane port took no connection: check that its agent runs and that TCP to lanes.port passes between the nodes.',
  'peer-silent':
    'The peer took the lane’s first bytes and said nothing: the two nodes disagree about keys or time. Compare `tidelock epochs` and the clock column of both.',
  'peer-denied':
    'The peer’s agent refused the lane by its own inventory, policy or trust: its `tidelock status` and log say why.',
  replayed:
    'The same opening came twice and only the first counted. From a program of yours this cannot happen: look for whoever records and resends.',
  'replay-full':
    'The replay set is full, so that no lane can be checked: too many lanes are opened per slot. Shorten epochs.periodMs.',
  'replay-quota':
    'That node opens more lanes a slot than its share of the replay set: see what connects so often there, or shorten epochs.periodMs.',
  'stale-slot':
    'The clocks of the two nodes are too far apart: see the clock column of `tidelock epochs`.',
  'bad-token':
    'The MAID token does not verify: the peer runs another version, or pretends. Compare `tidelock version`.',
  'bad-endorsement':
    'The workload key is not endorsed by the peer’s statement: the peer runs another version, or pretends. Compare `tidelock version`.',
  'not-local':
    'The destination is in no inventory of the node that should serve it: correct the inventory there, or wait until its workload directory is announced anew.',
  'pod-unreachable':
    'The destination’s program did not take the connection: check in that pod that it runs and listens on this port, on the pod’s address and not only on localhost.',
  mode: 'The destination takes requests only (car mode), which this version does not carry.',
  limit:
    'Too many connections are open in the data plane: close idle ones, or raise the descriptor limit of the agent.',
  'not-redirected':
    'A program in the pod connected to tidelock’s own in-pod port: let it connect to its real destination.',
};

/** By what the peer's agent said when it denied a lane: it judged by what is on its side. */
const DENIED: Readonly<Record<Denial, string>> = {
  policy:
    'The policy of the destination’s node has no rule for this pair: give both nodes the same policy.files.',
  identity: REMEDIES['bad-endorsement'],
  destination: REMEDIES['not-local'],
  unreachable: REMEDIES['pod-unreachable'],
  mode: REMEDIES.mode,
  busy: REMEDIES.limit,
  trust: 'The destination’s node is not attested at the moment: see `tidelock status` there.',
};

/** What to do about a refusal; `detail` is the peer's own word where it was the peer who refused. */
export function remedyFor(reason: Refusal, detail = ''): string {
  return reason === 'peer-denied' && isDenial(detail) ? DENIED[detail] : REMEDIES[reason];
}

const isDenial = (word: string): word is Denial => Object.hasOwn(DENIED, word);
