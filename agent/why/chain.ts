// The chain of causes: asks link after link until one is broken. That one is the answer; what comes after
// it was not reached. A pure judgement of facts.
import { LINK_IDS, type Why } from '#agent/api/why.ts';
import type { Refusal } from '#proxy/counters.ts';
import {
  destinationLink,
  findTarget,
  lanePortLink,
  ownPolicyLink,
  peerEpochLink,
  peerLink,
  policyLink,
} from './destinationLinks.ts';
import type { PodFacts, WhyFacts } from './facts.ts';
import { locate, nameOf } from './locate.ts';
import { outsideLink, plaintextLink } from './outside.ts';
import {
  broken,
  dataPlaneLink,
  holds,
  identityLink,
  knownLink,
  namespaceLink,
  nodeLink,
  ownEpochLink,
  podLink,
  redirectLink,
  type Link,
} from './links.ts';
import { questionText, type Destination, type Question } from './question.ts';
import { remedyFor } from './remedies.ts';
import { duration } from '#agent/api/units.ts';

/** The answer to `question`. */
export function whyOf(facts: WhyFacts, question: Question): Why {
  const found: Link[] = [];
  for (const link of causes(facts, question)) {
    found.push(link);
    if (link.state === 'broken') break;
  }
  const last = found.at(-1);
  const isBroken = last?.state === 'broken';
  const reached = last ? LINK_IDS.indexOf(last.id) : -1;
  const unreached = isBroken ? LINK_IDS.slice(reached + 1).filter(concerns(question)) : [];
  return {
    node: facts.node,
    question: questionText(question),
    verdict: isBroken ? 'broken' : 'holds',
    answer: isBroken ? last.text : 'every link holds',
    ...(isBroken ? { remedy: last.remedy } : {}),
    links: [
      ...found.map(({ id, state, text }) => ({ id, state, text })),
      ...unreached.map((id) => ({ id, state: 'not-reached' as const, text: '' })),
    ],
  };
}

const ABOUT_DESTINATION = new Set<string>(['destination', 'peer', 'lane-port']);
const concerns =
  ({ to }: Question) =>
  (id: string): boolean =>
    to === undefined ? !ABOUT_DESTINATION.has(id) : id !== 'outside';

/** In the order of LINK_IDS; nobody asks on after a broken one. */
function* causes(facts: WhyFacts, { pod: name, to }: Question): Generator<Link> {
  const reached = to && reachedInClear(facts, name, to);
  if (reached) return yield* causesFromOutside(facts, name, reached, to);
  const found = podLink(facts, name);
  if (!('pod' in found)) return yield found;
  const { pod } = found;
  yield knownLink(pod);
  yield namespaceLink(pod);
  yield identityLink(pod);
  yield redirectLink(pod, facts);
  yield dataPlaneLink(facts);
  yield nodeLink(facts);
  if (to) {
    yield* causesTo(facts, pod, to);
  } else {
    yield ownPolicyLink(facts, pod.spiffeId);
    yield ownEpochLink(facts);
  }
  yield connectionsLink(facts);
  if (!to) yield outsideLink(facts);
}

/** The pod of this node that plaintext from `name` would reach; undefined: there is an agent at both ends. */
function reachedInClear(facts: WhyFacts, name: string, to: Destination): PodFacts | undefined {
  if (locate(facts, name).kind !== 'nobody') return undefined;
  const place = locate(facts, to.name);
  return place.kind === 'local' ? place.pod : undefined;
}

/** From an address without an agent into a pod of this node. */
function* causesFromOutside(
  facts: WhyFacts,
  address: string,
  pod: PodFacts,
  to: Destination,
): Generator<Link> {
  yield holds('pod', `${address} has no agent: what it sends to ${nameOf(pod)} is plaintext`);
  yield namespaceLink(pod);
  yield redirectLink(pod, facts);
  yield plaintextLink(facts, address, to.port);
}

function* causesTo(facts: WhyFacts, from: PodFacts, to: Destination): Generator<Link> {
  const target = findTarget(facts, to);
  if ('state' in target) return yield target;
  const { peer, port = to.port } = target;
  yield destinationLink(target);
  yield peerLink(peer);
  yield policyLink(facts, from.spiffeId, target.pod.spiffeId, port);
  if (!peer) return yield holds('epoch', 'no key is needed within the node');
  yield peerEpochLink(facts, peer);
  yield lanePortLink(facts, peer);
}

/** Reasons that the links before would have found now: such a refusal is over. */
const JUDGED: readonly Refusal[] = [
  'not-trusted',
  'no-agent',
  'address-conflict',
  'no-endpoint',
  'no-chain',
  'policy',
];
/** A refusal older than this says little about now. */
const RECENT_MS = 10 * 60_000;

/** What only trying can tell: the last refusal, unless a connection was carried after it. */
function connectionsLink({ connections, nowMs }: WhyFacts): Link {
  const { live, openedAt = 0, closedAt = 0, refused } = connections;
  const carried =
    live > 0
      ? `${live} live`
      : closedAt > 0
        ? `the last one ended ${duration(nowMs - closedAt)} ago`
        : 'none since the agent started, as far as it remembers';
  if (!refused) return holds('connections', `${carried}; none was refused`);
  const { at, reason, detail, destination, count, from, to } = refused;
  const ends = `${from ?? 'the pod'} to ${to ?? destination ?? 'an unknown destination'}`;
  const what = `${count} refused, the last ${duration(nowMs - at)} ago: ${ends} (${[reason, detail].filter(Boolean).join(': ')})`;
  const isOver =
    Math.max(openedAt, closedAt) > at || nowMs - at > RECENT_MS || JUDGED.includes(reason);
  return isOver
    ? holds('connections', `${carried}; ${what}`)
    : broken('connections', what, remedyFor(reason, detail));
}
