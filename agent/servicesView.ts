// What `status` says of services: where each would lead a pod of this node. It reads and never changes
// anything; `why` follows one of them.
import type { Status } from '#agent/api/status.ts';
import { resolved, type EndpointPod, type ServiceSpec } from '#agent/inventory/services.ts';

/** Each service by family of its addresses, with the endpoints that are declared ready and known. */
export const servicesOf = (
  services: readonly ServiceSpec[],
  pods: readonly EndpointPod[],
): Status['services'] =>
  resolved(services, pods).map(({ name, ips, isSticky, ports }) => ({
    name,
    ips: [...ips],
    affinity: isSticky ? 'ClientIP' : 'None',
    ports: ports.map(({ port, endpoints }) => ({
      port,
      endpoints: endpoints.map((endpoint) => `${endpoint.address}:${endpoint.port}`),
    })),
  }));
