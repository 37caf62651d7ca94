// The pods of this node as the probes know them: by the inode of their network namespace.
import type { ProbedPod } from '#probes/naming.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';
import type { PodState } from './captures.ts';

/** Those whose namespace is known. */
export const probedPods = (pods: readonly PodState[]): ProbedPod[] =>
  pods.flatMap(({ spec: { uid, namespace, name, netns }, captured }) =>
    'problem' in netns
      ? []
      : [
          {
            uid,
            namespace,
            name,
            netnsInode: inodeOf(netns.id),
            netnsPath: netns.path,
            captured,
          },
        ],
  );

/** Whether pods may answer plaintext from outside: what they send is judged by its direction then. */
export const probedInbound = ({ inbound, inboundExcept }: Plaintext): Plaintext['inbound'] =>
  inboundExcept.length > 0 ? 'plain' : inbound;

/** Of `device:inode` (inventory/netns.ts). */
const inodeOf = (id: string): number => Number(id.slice(id.indexOf(':') + 1));
