// A service as a destination: which of its endpoints could be reached now, and by which one a question is
// followed. It judges readiness as the data plane does (proxy/routes.ts); policy comes after.
import type { NodeName } from '#agent/base/brands.ts';
import { resolved, serviceName, type ServiceSpec } from '#agent/inventory/services.ts';
import { Ranges, type Range } from '#proxy/range.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { PeerFacts, PodFacts, RemoteFacts } from './facts.ts';

export interface ServiceWorld {
  readonly node: NodeName;
  readonly pods: readonly PodFacts[];
  readonly peers: readonly PeerFacts[];
  readonly unmeshed: 'refuse' | 'plain';
  readonly unmeshedExcept: readonly Range[];
}

/** Where a connection to an endpoint would go, or why it would not. */
type EndpointPlace =
  | { readonly kind: 'local'; readonly pod: PodFacts }
  | { readonly kind: 'remote'; readonly pod: RemoteFacts; readonly peer: PeerFacts }
  | { readonly kind: 'plain' }
  | { readonly kind: 'out'; readonly why: string };

export interface Followed {
  readonly endpoint: Endpoint;
  readonly place: Exclude<EndpointPlace, { kind: 'out' }>;
}

export interface ServiceAnswer {
  /** The first that is ready; absent: none is. */
  readonly followed?: Followed;
  /** One clause about all of them. */
  readonly text: string;
}

/** What is behind `service` at `port`, or at all of its ports. */
export function endpointsOf(
  world: ServiceWorld,
  service: ServiceSpec,
  port: number | undefined,
): ServiceAnswer {
  const name = serviceName(service);
  const pods = [{ node: world.node, pods: world.pods }, ...world.peers].flatMap(
    ({ node, pods: its }) => its.map((pod) => ({ ...pod, node })),
  );
  const ports = resolved([service], pods)
    .flatMap((each) => each.ports)
    .filter((each) => port === undefined || each.port === port);
  if (ports.length === 0) {
    const has = service.ports.map((each) => each.port).join(', ');
    return { text: `service ${name} has port ${has}, not ${port}` };
  }
  const endpoints = ports.flatMap((each) => each.endpoints);
  const judged = endpoints.map((endpoint) => ({ endpoint, place: placeOf(world, endpoint) }));
  const ready = judged.flatMap(({ endpoint, place }): Followed[] =>
    place.kind === 'out' ? [] : [{ endpoint, place }],
  );
  const out = judged.flatMap(({ endpoint, place }) =>
    place.kind === 'out' ? [`${textOf(endpoint)} ${place.why}`] : [],
  );
  const [followed] = ready;
  const names = ready.slice(0, MAX_SHOWN).map(({ endpoint }) => textOf(endpoint));
  const text =
    followed === undefined
      ? `service ${name} has no ready endpoint of ${service.endpoints.length} declared`
      : `service ${name} leads to ${names.join(', ')}`;
  const others = out.length === 0 ? '' : `; not ready: ${out.slice(0, MAX_SHOWN).join(', ')}`;
  return { text: `${text}${others}`, ...(followed && { followed }) };
}

const MAX_SHOWN = 5;

const textOf = ({ address, port }: Endpoint): string => `${address}:${port}`;

function placeOf(
  { pods, peers, unmeshed, unmeshedExcept }: ServiceWorld,
  endpoint: Endpoint,
): EndpointPlace {
  const { address } = endpoint;
  const pod = pods.find(({ ips }) => ips.includes(address));
  if (pod) return pod.captured ? { kind: 'local', pod } : { kind: 'out', why: 'is not captured' };
  for (const peer of peers) {
    const remote = peer.pods.find(({ ips }) => ips.includes(address));
    if (!remote) continue;
    const { node, accepted, send } = peer;
    if (!accepted) return { kind: 'out', why: `is of ${node}, which is not attested` };
    if ('refused' in send) return { kind: 'out', why: `is of ${node}: ${send.refused}` };
    return { kind: 'remote', pod: remote, peer };
  }
  return unmeshed === 'plain' || new Ranges(unmeshedExcept).find(endpoint)
    ? { kind: 'plain' }
    : { kind: 'out', why: 'has no agent' };
}
