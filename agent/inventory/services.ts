// What a service is: addresses of nobody that lead to pods, wherever the knowledge comes from. It finds
// the endpoints among the pods that are known; which one a connection takes is proxy/services.ts.
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import type { Service } from '#proxy/snapshot.ts';

export interface ServiceSpec {
  readonly namespace: string;
  readonly name: string;
  /** Canonical IPv4 and IPv6 texts, at least one; no pod and no other service has one of them. */
  readonly ips: readonly string[];
  /** `ClientIP`: a pod comes out at the same endpoint each time. */
  readonly affinity: 'None' | 'ClientIP';
  readonly ports: readonly { readonly port: number; readonly targetPort: number }[];
  readonly endpoints: readonly ServiceEndpoint[];
}

/** One pod or several, on whichever nodes; one that is not `ready` takes no new connections. */
export type ServiceEndpoint = { readonly ready: boolean } & (
  | { readonly address: string }
  | { readonly uid: string }
  /** Of pods with this identity those on these nodes: any attested node can announce some. */
  | { readonly spiffe: SpiffeId; readonly nodes: readonly NodeName[] }
);

/** A pod of this node or of another, as far as it can be an endpoint. */
export interface EndpointPod {
  readonly node: NodeName;
  readonly uid: string;
  readonly spiffeId: SpiffeId;
  readonly ips: readonly string[];
}

/** `namespace/name`. */
export const serviceName = ({ namespace, name }: ServiceSpec): string => `${namespace}/${name}`;

/** The nodes that services name: whose pods they lead to, whether anything was exchanged with them or not. */
export const nodesNamed = (services: readonly ServiceSpec[]): readonly NodeName[] =>
  services.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) => ('nodes' in endpoint ? endpoint.nodes : [])),
  );

/** Services with the addresses of their ready endpoints, of the service's own family where there are some. */
export const resolved = (
  services: readonly ServiceSpec[],
  pods: readonly EndpointPod[],
): readonly Service[] =>
  services.flatMap((service) => {
    const addresses = addressesOf(service, pods);
    return [isV4, isV6].flatMap((isOfFamily) => {
      const ips = service.ips.filter(isOfFamily);
      const same = addresses.filter(isOfFamily);
      const endpoints = same.length > 0 ? same : addresses;
      return ips.length === 0 ? [] : [serviceOf(service, ips, endpoints)];
    });
  });

const serviceOf = (
  service: ServiceSpec,
  ips: readonly string[],
  addresses: readonly string[],
): Service => ({
  name: serviceName(service),
  ips,
  isSticky: service.affinity === 'ClientIP',
  ports: service.ports.map(({ port, targetPort }) => ({
    port,
    endpoints: addresses.map((address) => ({ address, port: targetPort })),
  })),
});

/** Each once, in the order of the endpoints. */
function addressesOf({ endpoints }: ServiceSpec, pods: readonly EndpointPod[]): string[] {
  const found = endpoints
    .filter(({ ready }) => ready)
    .flatMap((endpoint) => {
      if ('address' in endpoint) return [endpoint.address];
      const meant =
        'uid' in endpoint
          ? theOnly(pods.filter(({ uid }) => uid === endpoint.uid))
          : pods.filter(
              ({ node, spiffeId }) => spiffeId === endpoint.spiffe && endpoint.nodes.includes(node),
            );
      return meant.flatMap(({ ips }) => ips);
    });
  return [...new Set(found)];
}

/** Nobody proves which of two nodes a uid is on. */
const theOnly = (pods: readonly EndpointPod[]): readonly EndpointPod[] =>
  new Set(pods.map(({ node }) => node)).size > 1 ? [] : pods;

const isV6 = (ip: string): boolean => ip.includes(':');
const isV4 = (ip: string): boolean => !isV6(ip);
