// Pods of other nodes, by what each node's workload directory says: those that lanes are opened to, and
// those whose node is not accepted now. It believes no node about another's pods.
import type { PeerState } from '#agent/epochs/peers.ts';
import type { RemotePod, UnattestedPod } from '#proxy/snapshot.ts';

type Announcing = Pick<PeerState, 'node' | 'accepted' | 'directory'>;

/** A node that is not accepted routes nothing. */
export const remotesOf = ({ node, accepted, directory }: Announcing): RemotePod[] =>
  accepted.length === 0
    ? []
    : (directory?.pods ?? []).map(({ uid, spiffeId, ips }) => ({ uid, node, spiffeId, ips }));

/** What it announced while it was accepted: no one else is believed to be there since. */
export const unattestedOf = ({ node, accepted, directory }: Announcing): UnattestedPod[] =>
  accepted.length === 0 ? (directory?.pods ?? []).map(({ ips }) => ({ node, ips })) : [];
