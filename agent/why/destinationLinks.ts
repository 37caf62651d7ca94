// The links that depend on where a connection goes: does an agent serve it, is that agent attested, does
// policy allow the pair, is there a key, does the peer's port answer.
import { decide, type CompiledPolicy, type Decision } from '#proxy/policy.ts';
import type { SpiffeId } from '#agent/base/brands.ts';
import { duration } from '#agent/api/units.ts';
import { rangeText } from '#proxy/range.ts';
import type { PeerFacts, PodFacts, RemoteFacts, WhyFacts } from './facts.ts';
import { broken, holds, type Link } from './links.ts';
import { locate, nameOf } from './locate.ts';
import type { Destination } from './question.ts';
import { covers } from './outside.ts';
import { remedyFor } from './remedies.ts';
import { endpointsOf, type ServiceAnswer } from './service.ts';

/** Where a connection ends: `peer` is absent for a pod of this node. */
export interface Target {
  readonly pod: PodFacts | RemoteFacts;
  readonly name: string;
  readonly peer?: PeerFacts;
  /** Of the pod, where a service leads to another one than was asked for. */
  readonly port?: number;
  /** What led there, if it was a service. */
  readonly by?: string;
}

/** The target, or the one link that is all there is to say. */
export function findTarget(facts: WhyFacts, { name, port }: Destination): Target | Link {
  const place = locate(facts, name);
  switch (place.kind) {
    case 'service':
      return serviceTarget(endpointsOf(facts, place.service, port));
    case 'local':
      return { pod: place.pod, name: nameOf(place.pod) };
    case 'remote':
      return { pod: place.pod, name: place.pod.uid, peer: place.peer };
    case 'several':
      return broken(
        'destination',
        `${name} is claimed by ${place.text}`,
        remedyFor('address-conflict'),
      );
    case 'nobody':
      return unmeshedLink(facts, name, port);
    case 'unknown': {
      const meant =
        place.near.length > 0 ? ` Is one of these meant: ${place.near.join(', ')}?` : '';
      return broken(
        'destination',
        `no node announces a pod called ${name}`,
        `Other nodes’ pods go by address, uid or SPIFFE ID.${meant}`,
      );
    }
  }
}

function serviceTarget({ followed, text }: ServiceAnswer): Target | Link {
  if (!followed) return broken('destination', text, remedyFor('no-endpoint'));
  const { endpoint, place } = followed;
  const { port } = endpoint;
  switch (place.kind) {
    case 'local':
      return { pod: place.pod, name: nameOf(place.pod), port, by: text };
    case 'remote':
      return { pod: place.pod, name: place.pod.uid, peer: place.peer, port, by: text };
    case 'plain':
      return holds('destination', `${text}, which no agent serves: it passes in the clear`);
  }
}

/** A destination that no agent serves. */
function unmeshedLink(
  { unmeshed, unmeshedExcept }: WhyFacts,
  address: string,
  port: number | undefined,
): Link {
  const clear = `no agent serves ${address}; it passes in the clear`;
  if (unmeshed === 'plain') return holds('destination', `${clear} (lanes.unmeshed: plain)`);
  const range = unmeshedExcept.find((each) => covers(each, address, port));
  if (range) return holds('destination', `${clear} (lanes.unmeshedExcept: ${rangeText(range)})`);
  return broken('destination', `no agent serves ${address}`, remedyFor('no-agent'));
}

export function destinationLink(target: Target): Link {
  const link = whereLink(target);
  return target.by === undefined ? link : { ...link, text: `${target.by}; ${link.text}` };
}

function whereLink({ pod, name, peer }: Target): Link {
  if (peer) return holds('destination', `${name} (${pod.spiffeId}) lives on ${peer.node}`);
  if ('captured' in pod && !pod.captured) {
    return broken(
      'destination',
      `${name} of this node is not captured: ${pod.problem?.message ?? 'not yet'}`,
      pod.problem?.hint ?? 'The agent does so within seconds of its start; ask again.',
    );
  }
  return holds('destination', `${name} (${pod.spiffeId}) lives on this node: no lane is needed`);
}

export function peerLink(peer: PeerFacts | undefined): Link {
  if (!peer) return holds('peer', 'none: both pods are on this node');
  const { node, accepted, refused } = peer;
  if (accepted) {
    const left = duration(accepted.expiresInMs);
    return holds('peer', `${node} is ${accepted.verdict}, its attestation is good for ${left}`);
  }
  return broken(
    'peer',
    `${node} is not accepted here: ${refused ?? 'it is not attested'}`,
    `See \`tidelock status\` on ${node}: verdict, checks that did not pass, bus.`,
  );
}

/** Port 0 stands in no rule: what it is allowed, every port is. */
const ANY_PORT = 0;

/** What the rules in force say, and whether the files say something else that cannot be read. */
export function policyLink(facts: WhyFacts, from: SpiffeId, to: SpiffeId, port?: number): Link {
  const link = ruled(facts, from, to, port);
  const { policyProblem } = facts;
  if (policyProblem === undefined) return link;
  const text = `${link.text}, by the last good policies: ${policyProblem.message}`;
  if (link.state === 'holds') return holds('policy', text);
  return broken('policy', text, policyProblem.hint);
}

function ruled(facts: WhyFacts, from: SpiffeId, to: SpiffeId, port?: number): Link {
  const { policy } = facts;
  if (port !== undefined) return decided(facts, decide(policy, from, to, port), from, to, port);
  const all = decide(policy, from, to, ANY_PORT);
  if (all.allow) return decided(facts, all, from, to);
  const ports = allowedPorts(policy, from, to);
  if (ports.length === 0) return decided(facts, all, from, to);
  return holds('policy', `allowed on port ${ports.join(', ')} and no other`);
}

function decided(
  { policyMode }: WhyFacts,
  { allow, rule }: Decision,
  from: SpiffeId,
  to: SpiffeId,
  port?: number,
): Link {
  const where = port === undefined ? '' : ` on port ${port}`;
  if (allow && rule !== 'default') return holds('policy', `allowed${where} by rule ${rule}`);
  if (allow) {
    const why = policyMode === 'observe' ? 'policy.mode is observe' : 'the default is ALLOW';
    return holds('policy', `no rule allows it${where}, and it passes: ${why}`);
  }
  const ports = port === undefined ? '' : `, ports: [${port}]`;
  return broken(
    'policy',
    `no rule allows ${from} to reach ${to}${where}`,
    `Add to a ServiceAccessPolicy in policy.files: {from: {spiffe: ${from}}, to: [{spiffe: ${to}${ports}}]}.`,
  );
}

/** Ports that some rule allows this pair, ascending. */
function allowedPorts(policy: CompiledPolicy, from: SpiffeId, to: SpiffeId): number[] {
  const named = new Set(policy.rules.flatMap(({ ports }) => ports));
  return [...named].filter((port) => decide(policy, from, to, port).allow).sort((a, b) => a - b);
}

/** What policy has to say of a pod when no destination is named. */
export function ownPolicyLink({ policy, policyMode }: WhyFacts, from: SpiffeId): Link {
  const rules = policy.rules.filter(
    (rule) => rule.from === from || (rule.from.endsWith('/') && from.startsWith(rule.from)),
  );
  if (policyMode === 'observe')
    return holds('policy', 'policy.mode is observe: nothing is refused');
  if (policy.defaultAction === 'ALLOW') return holds('policy', 'the default is ALLOW');
  const targets = [...new Set(rules.map(({ to }) => (to.endsWith('/') ? `${to}*` : to)))];
  return holds(
    'policy',
    targets.length === 0
      ? 'no rule lets it connect to anything'
      : `may connect to ${targets.slice(0, MAX_SHOWN).join(', ')}${targets.length > MAX_SHOWN ? ` and ${targets.length - MAX_SHOWN} more` : ''}`,
  );
}

const MAX_SHOWN = 5;

export function peerEpochLink({ epochs }: WhyFacts, { send, algorithm, node }: PeerFacts): Link {
  if ('refused' in send) {
    return broken(
      'epoch',
      `no chain to open a lane with: ${send.refused} (${epochs.text})`,
      `Compare \`tidelock epochs\` here and on ${node}: bus, conductor, clock, chains confirmed.`,
    );
  }
  const under = `${send.chainId.slice(0, 12)}${algorithm ? ` (${algorithm})` : ''}`;
  return holds('epoch', `${node} has confirmed chain ${under}; ${epochs.text}`);
}

export function lanePortLink({ reach }: WhyFacts, { node, lane }: PeerFacts): Link {
  if (!lane) {
    return broken(
      'lane-port',
      `${node} has not said where its lane port is`,
      `Its workload directory is missing: see whether the agent of ${node} runs and reaches the bus.`,
    );
  }
  const where = `${lane.address} port ${lane.port}`;
  return reach?.problem === undefined
    ? holds('lane-port', `${where} takes connections`)
    : broken('lane-port', `${where}: ${reach.problem}`, remedyFor('peer-unreachable'));
}
