// What an operator does about each reason for which a connection is refused. One table, so that no
// reason is without a remedy.
import type { Refusal } from '#proxy/counters.ts';
import type { Denial } from '#proxy/see/opening.ts';

/** By reason; a sentence or two. */
const REMEDIES: Readonly<Record<Refusal, string>> = {
  'not-trusted':
    'This node or its peer is not attested: see the verdict and the checks that did not pass in `tidelock status`.',
  'no-agent':
    'Run an agent on the destination’s node and list the pod in its inventory, or name it in lanes.unmeshedExcept, by which it is reached in the clear.',
  'address-conflict':
    'Two pods have one address, or a node announces what is not its own: `tidelock status` names the nodes.',
  'no-endpoint':
    'Nothing that is behind the service can be reached: see that its pods run, are listed in inventory.file as ready endpoints, and that their nodes are attested.',
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
  'pod-limit':
    'One pod has or opens more connections than lanes.limits allows it: see `tidelock lanes --pod`; close idle ones, or raise lanes.limits.perPodLanes or perPodOpeningsPerSecond.',
  'peer-limit':
    'One node has or opens more lanes to this one than lanes.limits allows it: see `tidelock lanes --peer`, or raise lanes.limits.perPeerLanes or perPeerOpeningsPerSecond.',
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
    'The data plane has as many descriptors open as it may, two for each lane: close idle connections, or raise LimitNOFILE (ulimit -n) of the agent.',
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
  busy: 'The destination’s node or pod has as many lanes as lanes.limits allows there: its `tidelock status` and log say which limit.',
  trust: 'The destination’s node is not attested at the moment: see `tidelock status` there.',
};

/** What to do about a refusal; `detail` is the peer's own word where it was the peer who refused. */
export function remedyFor(reason: Refusal, detail = ''): string {
  return reason === 'peer-denied' && isDenial(detail) ? DENIED[detail] : REMEDIES[reason];
}

const isDenial = (word: string): word is Denial => Object.hasOwn(DENIED, word);
