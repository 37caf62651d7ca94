// From what a person calls a pod to the pod: among those of this node, and among those that the workload
// directories of other nodes announce. It guesses nothing; what is near is offered, not taken.
import { isIP } from 'node:net';
import { closest } from '#agent/yaml/suggest.ts';
import type { PeerFacts, PodFacts, RemoteFacts, WhyFacts } from './facts.ts';

/** The world a name is looked up in. */
export type Places = Pick<WhyFacts, 'pods' | 'peers'>;

export type Place =
  | { readonly kind: 'local'; readonly pod: PodFacts }
  | { readonly kind: 'remote'; readonly pod: RemoteFacts; readonly peer: PeerFacts }
  /** More than one node claims it, or more than one pod is called so. */
  | { readonly kind: 'several'; readonly text: string }
  /** An address that no agent serves. */
  | { readonly kind: 'nobody' }
  /** No pod is called so; `near` are names of some that are meant perhaps. */
  | { readonly kind: 'unknown'; readonly near: readonly string[] };

const MAX_NEAR = 5;

/** Where the pod called `name` lives. An address in its one form; a bare name only for pods of this node. */
export function locate({ pods, peers }: Places, name: string): Place {
  const local = pods.filter((pod) => isCalled(pod, name) || nameOf(pod) === name);
  const bare = local.length > 0 ? local : pods.filter((pod) => pod.name === name);
  const remote = peers.flatMap((peer) =>
    peer.pods.filter((pod) => isCalled(pod, name)).map((pod) => ({ peer, pod })),
  );
  // What a node says counts for routing only while that node is accepted (PROTOCOL 3.6).
  const routed = remote.filter(({ peer }) => peer.accepted);
  const [first, ...others] = [
    ...bare.map((pod): Place => ({ kind: 'local', pod })),
    ...(routed.length > 0 ? routed : remote).map((at): Place => ({ kind: 'remote', ...at })),
  ];
  if (first === undefined) {
    return isIP(name) ? { kind: 'nobody' } : { kind: 'unknown', near: near({ pods, peers }, name) };
  }
  if (others.length === 0) return first;
  const places = [first, ...others].map(placeText).slice(0, MAX_NEAR).join(' and ');
  return { kind: 'several', text: places };
}

/** `namespace/name`. */
export const nameOf = ({ namespace, name }: PodFacts): string => `${namespace}/${name}`;

const isCalled = (pod: RemoteFacts | PodFacts, name: string): boolean =>
  pod.uid === name || pod.spiffeId === name || pod.ips.includes(name);

const placeText = (place: Place): string => {
  if (place.kind === 'local') return `${nameOf(place.pod)} of this node`;
  return place.kind === 'remote' ? `${place.pod.uid} of ${place.peer.node}` : '';
};

/** The likeliest slip of the hand, then pods of other nodes whose SPIFFE ID has the namespace asked for. */
function near({ pods, peers }: Places, name: string): string[] {
  const names = pods.map(nameOf);
  const slip = closest(name, [...names, ...pods.map((pod) => pod.name)]);
  const namespace = `/${name.split('/', 1)[0]}/`;
  const others = peers.flatMap((peer) =>
    peer.pods
      .filter((pod) => name.includes('/') && pod.spiffeId.includes(namespace))
      .map((pod) => `${pod.uid} of ${peer.node} (${pod.spiffeId}, ${pod.ips.join(' ')})`),
  );
  return [...(slip === undefined ? [] : [slip]), ...others].slice(0, MAX_NEAR);
}
