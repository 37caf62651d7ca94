// The first links of the chain: is the pod known, found, named, redirected, and is this node fit to carry
// anything for it. Each judges the facts and says one sentence; a broken one says the remedy too.
import type { LinkId } from '#agent/api/why.ts';
import type { PodFacts, WhyFacts } from './facts.ts';
import { locate, nameOf, type Place } from './locate.ts';

/** What was found at one link. */
export type Link =
  | { readonly id: LinkId; readonly state: 'holds'; readonly text: string }
  | {
      readonly id: LinkId;
      readonly state: 'broken';
      readonly text: string;
      readonly remedy: string;
    };

export const holds = (id: LinkId, text: string): Link => ({ id, state: 'holds', text });
export const broken = (id: LinkId, text: string, remedy: string): Link => ({
  id,
  state: 'broken',
  text,
  remedy,
});

/** The pod asked about, or the broken link. */
export function podLink(facts: WhyFacts, name: string): { readonly pod: PodFacts } | Link {
  const place = locate(facts, name);
  if (place.kind === 'local') return { pod: place.pod };
  const { inventoryProblem } = facts;
  if (inventoryProblem && place.kind === 'unknown') {
    const text = `no pod of this node is called ${name}, and the newest inventory is not in use: ${inventoryProblem.message}`;
    return broken('pod', text, inventoryProblem.hint);
  }
  return broken('pod', ...notHere(place, name, facts));
}

function notHere(
  place: Exclude<Place, { kind: 'local' }>,
  name: string,
  { node, pods }: WhyFacts,
): [text: string, remedy: string] {
  switch (place.kind) {
    case 'remote':
      return [
        `${name} lives on ${place.peer.node}, and this is ${node}`,
        `Ask there: run tidelock why on ${place.peer.node}.`,
      ];
    case 'service':
      return [
        `${name} is a service, and a service makes no connections`,
        'Name the pod that connects, and the service after "to".',
      ];
    case 'several':
      return [`${name} is called ${place.text}`, 'Name one of them by its uid.'];
    case 'nobody':
      return [
        `no pod of this node or of another has the address ${name}`,
        'Correct its addresses in inventory.file, or list the pod there.',
      ];
    case 'unknown': {
      const meant =
        place.near.length > 0 ? ` Is one of these meant: ${place.near.join(', ')}?` : '';
      return [
        `no pod of this node is called ${name}; its inventory has ${pods.length}`,
        `List it in inventory.file, or ask on the node where it lives.${meant}`,
      ];
    }
  }
}

export const knownLink = (pod: PodFacts): Link =>
  holds('pod', `${nameOf(pod)} is in the inventory, uid ${pod.uid}, ${pod.ips.join(' ')}`);

export const namespaceLink = ({ netns }: PodFacts): Link =>
  'path' in netns
    ? holds('namespace', `its network namespace is ${netns.path}`)
    : broken(
        'namespace',
        netns.problem,
        'Is the pod running? Correct its netns or cgroup in inventory.file; the agent tries again by itself.',
      );

export const identityLink = ({ spiffeId }: PodFacts): Link => holds('identity', spiffeId);

/** Whether what the pod sends reaches the data plane at all. */
export function redirectLink(
  { captured, problem, sourceProblem }: PodFacts,
  { rules }: WhyFacts,
): Link {
  if (!captured) {
    return broken(
      'redirect',
      problem?.message ?? 'the pod is not captured yet',
      problem?.hint ?? 'The agent does so within seconds of its start; ask again.',
    );
  }
  if (typeof rules === 'object') return broken('redirect', rules.message, rules.hint);
  if (rules === 'changed' || rules === 'missing') {
    return broken(
      'redirect',
      rules === 'missing'
        ? 'table inet tidelock in its namespace is gone'
        : 'table inet tidelock in its namespace, or routing table 15008 there, was changed by somebody',
      'Find who changes nftables or routing inside the pod and take its CAP_NET_ADMIN away; restart the agent to load the rules again.',
    );
  }
  const seen =
    sourceProblem === undefined
      ? ''
      : `; its programs see the pod itself as their peer: ${sourceProblem}`;
  return holds('redirect', `captured, and the rules stand as they were loaded${seen}`);
}

export function dataPlaneLink({ dataPlane: { state, pid, restarts } }: WhyFacts): Link {
  if (state === 'running') return holds('data-plane', `runs, pid ${pid}, ${restarts} restarts`);
  return broken(
    'data-plane',
    `the data plane is ${state}, after ${restarts} restarts`,
    'It is started again by itself; when it does not stay, the log has its last words under plane.ended.',
  );
}

export function nodeLink({ self: { verdict, reason, hint, admitted }, node }: WhyFacts): Link {
  if (verdict !== 'affirming' && verdict !== 'warning') {
    return broken(
      'node',
      `${node} is not attested: ${reason || `verdict ${verdict}`}`,
      hint ??
        'See the checks that did not pass in `tidelock status`; put the boot state back, or have an owner enrol the node anew.',
    );
  }
  if (!admitted) {
    return broken(
      'node',
      `${node} is ${verdict} and not admitted to the cluster: ${reason || 'no roster lists it yet'}`,
      'Somebody must conduct and admit it: see `tidelock epochs` for conductor and bus.',
    );
  }
  return holds('node', `${node} is ${verdict} and in the roster`);
}

/** Whether keys are there at all; which one a peer takes is known with the destination. */
export function ownEpochLink({ epochs: { state, text } }: WhyFacts): Link {
  const usable = state === 'in-step' || state === 'outage' || state === 'behind';
  return usable
    ? holds('epoch', text)
    : broken('epoch', text, 'See `tidelock epochs`: bus, conductor, last events.');
}
