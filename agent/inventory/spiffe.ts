// A pod's SPIFFE ID from its place, by the configured template (PROTOCOL 2).
import { isSpiffeId, type SpiffeId } from '#agent/base/brands.ts';

/** What every SPIFFE ID of one agent has in common. */
export interface SpiffeNaming {
  readonly domain: string;
  readonly cluster: string;
  /** With `<domain>`, `<cluster>`, `<namespace>` and `<serviceaccount>` where they belong. */
  readonly template: string;
}

/** Errors: RangeError when the parts do not make a SPIFFE ID, which their schemas exclude. */
export function spiffeIdOf(
  naming: SpiffeNaming,
  pod: { readonly namespace: string; readonly serviceAccount: string },
): SpiffeId {
  const parts: Readonly<Record<string, string>> = {
    domain: naming.domain,
    cluster: naming.cluster,
    namespace: pod.namespace,
    serviceaccount: pod.serviceAccount,
  };
  const id = naming.template.replace(/<(\w+)>/g, (hole, part: string) => parts[part] ?? hole);
  if (!isSpiffeId(id)) throw new RangeError(`${id} is not a SPIFFE ID`);
  return id;
}
