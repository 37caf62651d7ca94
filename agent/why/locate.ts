// From what a person calls a pod to the pod: among those of this node, among those that the workload
// directories of other nodes announce, and from what a service is called to the service. It guesses nothing; what is near is offered, not taken.
import { isIP } from 'node:net';
import { serviceName, type ServiceSpec } from '#agent/inventory/services.ts';
import { closest } from '#agent/yaml/suggest.ts';
import type { PeerFacts, PodFacts, RemoteFacts, WhyFacts } from './facts.ts';

/** The world a name is looked up in. */
export type Places = Pick<WhyFacts, 'pods' | 'peers' | 'services'>;

export type Place =
  | { readonly kind: 'local'; readonly pod: PodFacts }
  | { readonly kind: 'remote'; readonly pod: RemoteFacts; readonly peer: PeerFacts }
  | { readonly kind: 'service'; readonly service: ServiceSpec }
  /** More than one node claims it, or more than one pod is called so. */
  | { readonly kind: 'several'; readonly text: string }
  /** An address that no agent serves. */
  | { readonly kind: 'nobody' }
  /** No pod is called so; `near` are names of some that are meant perhaps. */
  | { readonly kind: 'unknown'; readonly near: readonly string[] };

const MAX_NEAR = 5;

/** What is called `name`: an address in its one form; a bare name only for pods of this node. */
export function locate({ pods, peers, services }: Places, name: string): Place {
  const atAddress = services.find(({ ips }) => ips.includes(name));
  if (atAddress) return { kind: 'service', service: atAddress };
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
    if (isIP(name)) return { kind: 'nobody' };
    const service = services.find((each) => namesOf(each).includes(name));
    if (service) return { kind: 'service', service };
    return { kind: 'unknown', near: near({ pods, peers, services }, name) };
  }
  if (others.length === 0) return first;
  const places = [first, ...others].map(placeText).slice(0, MAX_NEAR).join(' and ');
  return { kind: 'several', text: places };
}

/** A pod of this node with the same name comes first; the second form is a service's alone. */
const namesOf = (service: ServiceSpec): string[] => [
  serviceName(service),
  `${service.name}.${service.namespace}.svc`,
];

/** `namespace/name`. */
export const nameOf = ({ namespace, name }: PodFacts): string => `${namespace}/${name}`;

const isCalled = (pod: RemoteFacts | PodFacts, name: string): boolean =>
  pod.uid === name || pod.spiffeId === name || pod.ips.includes(name);

const placeText = (place: Place): string => {
  if (place.kind === 'local') return `${nameOf(place.pod)} of this node`;
  return place.kind === 'remote' ? `${place.pod.uid} of ${place.peer.node}` : '';
};

/** The likeliest slip of the hand, then pods of other nodes whose SPIFFE ID has the namespace asked for. */
function near({ pods, peers, services }: Places, name: string): string[] {
  const names = [...pods.map(nameOf), ...services.flatMap(namesOf)];
  const slip = closest(name, [...names, ...pods.map((pod) => pod.name)]);
  const namespace = `/${name.split('/', 1)[0]}/`;
  const others = peers.flatMap((peer) =>
    peer.pods
      .filter((pod) => name.includes('/') && pod.spiffeId.includes(namespace))
      .map((pod) => `${pod.uid} of ${peer.node} (${pod.spiffeId}, ${pod.ips.join(' ')})`),
  );
  return [...(slip === undefined ? [] : [slip]), ...others].slice(0, MAX_NEAR);
}
