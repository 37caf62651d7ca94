// The check of the conductor's lease where Kubernetes keeps it: read with this node's own credentials, never written.
import { EXIT } from '#agent/base/codes.ts';
import { readLease } from '#agent/epochs/lease.ts';
import { kubernetesLeaseOf, leaseNameOf } from '#agent/leaseOf.ts';
import type { Log } from '#agent/log.ts';
import { fail, pass, type Check } from './check.ts';

export const LEASE_CHECK: Check = {
  id: 'lease',
  title: 'conductor’s lease',
  explanation: {
    looksAt:
      'Where epochs.lease is kubernetes: reads the conductor’s Lease with this node’s credentials, and who holds it.',
    neededFor:
      'Without it this node cannot conduct; while nobody can, records stop and chains tick on.',
    usualCause:
      'The API server is away, the service account has no token or no Role, or kubernetes.namespace is another one.',
    remedy:
      'Apply daemonset/components/kubernetes-lease; docs/kubernetes.md has every verb it needs.',
  },
  exit: EXIT.unreachable,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = LEASE_CHECK.explanation;
    const config = await context.config();
    if (config.epochs.lease === 'bus') return pass('kept on the bus');
    const { namespace, name } = leaseNameOf(config);
    const ends = { clock: context.clock, random: Math.random, log: SILENT };
    const store = await kubernetesLeaseOf(config, ends);
    try {
      const stored = await store.read();
      if (store.problem) throw store.problem;
      if (!stored) return fail(`${namespace}/${name} gives no answer`, usualCause, remedy);
      return pass(`${namespace}/${name} ${holdingOf(stored)}`);
    } finally {
      await store.close();
    }
  },
};

function holdingOf({
  value,
  revision,
}: {
  readonly value: unknown;
  readonly revision: string | undefined;
}): string {
  if (revision === undefined) return 'is not there yet: the first agent that conducts makes it';
  const lease = readLease(value);
  if (lease === undefined) return 'was written by no agent, so it is free to take';
  return lease.holder ? `is held by ${lease.holder.node}, term ${lease.term}` : 'is held by nobody';
}

const nothing = (): void => undefined;
/** What is wrong is said once, as the finding. */
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
