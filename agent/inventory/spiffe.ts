// A pod's SPIFFE ID from its place, by the configured template (PROTOCOL 2).
import { isSpiffeId, type SpiffeId } from '#agent/base/brands.ts';
import { TidelockError } from '#agent/base/errors.ts';

/** What every SPIFFE ID of one agent has in common. */
export interface SpiffeNaming {
  readonly domain: string;
  readonly cluster: string;
  /** With `<domain>`, `<cluster>`, `<namespace>` and `<serviceaccount>` where they belong. */
  readonly template: string;
}

/** One path segment: a slash inside would let one account pass for another. */
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/**
 * Errors: INVENTORY_INVALID when it is longer than a SPIFFE ID may be; RangeError when a part is no segment of
 * one, which their schemas exclude.
 */
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
  const odd = Object.values(parts).find((part) => !SEGMENT.test(part));
  if (odd !== undefined)
    throw new RangeError(`${JSON.stringify(odd)} is no segment of a SPIFFE ID`);
  const id = naming.template.replace(/<(\w+)>/g, (hole, part: string) => parts[part] ?? hole);
  if (!isSpiffeId(id)) {
    throw new TidelockError('INVENTORY_INVALID', {
      op: 'inventory.name',
      message: `Cannot name ${pod.serviceAccount} of ${pod.namespace}: its SPIFFE ID has ${id.length} characters, at most 512 are possible`,
      hint: 'Shorten the trust domain, the namespace or the service account.',
    });
  }
  return id;
}
