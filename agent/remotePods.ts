// Pods of other nodes, by what each node's workload directory says: those that lanes are opened to, and
// those whose node is not accepted now. It believes no node about another's pods, nor out of bounds.
import type { PeerState } from '#agent/epochs/peers.ts';
import type { RemotePod, UnattestedPod } from '#proxy/snapshot.ts';
import type { Bounds } from './bounds.ts';

type Announcing = Pick<PeerState, 'node' | 'accepted' | 'directory'>;

/** A node that is not accepted routes nothing. */
export const remotesOf = (
  { node, accepted, directory }: Announcing,
  bounds: Bounds,
): RemotePod[] =>
  accepted.length === 0
    ? []
    : bounds
        .believed(directory?.pods ?? [])
        .map(({ uid, spiffeId, ips }) => ({ uid, node, spiffeId, ips }));

/** What it announced while it was accepted: no one else is believed to be there since. */
export const unattestedOf = (
  { node, accepted, directory }: Announcing,
  bounds: Bounds,
): UnattestedPod[] =>
  accepted.length === 0
    ? bounds.believed(directory?.pods ?? []).map(({ ips }) => ({ node, ips }))
    : [];
