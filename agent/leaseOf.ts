// Which store keeps the conductor's lease, by configuration. The client of the Kubernetes API is loaded only where it is
// asked for: it is larger than the agent.
import { readFileSync } from 'node:fs';
import type { Clock } from '#agent/base/clock.ts';
import type { Bus } from '#agent/epochs/bus.ts';
import { busLease } from '#agent/epochs/busLease.ts';
import { openLease, type Lease, type LeaseStore } from '#agent/epochs/lease.ts';
import { subjectsOf } from '#agent/epochs/subjects.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

/** A lease lapses after this many periods without a beat. */
const LEASE_PERIODS = 3;
/** What the kubelet says of a pod with a service account. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const USUAL_NAMESPACE = 'tidelock';

/** What is configured of where the lease is. */
export type LeaseConfig = Pick<Config, 'cluster' | 'kubernetes'> & {
  readonly epochs: Pick<Config['epochs'], 'periodMs' | 'lease'>;
};

export interface LeaseEnds {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** The lease of the cluster, which is not asked for anything yet. */
export async function leaseOf(
  config: LeaseConfig,
  { bus, ...ends }: LeaseEnds & { readonly bus: Bus },
): Promise<Lease> {
  const store =
    config.epochs.lease === 'kubernetes'
      ? await kubernetesLeaseOf(config, ends)
      : busLease(bus, subjectsOf(config.cluster).buckets.lease);
  return openLease({ store, clock: ends.clock, ttlMs: ttlMsOf(config) });
}

/** The Lease of the cluster in the Kubernetes API, whatever `epochs.lease` says. */
export async function kubernetesLeaseOf(config: LeaseConfig, ends: LeaseEnds): Promise<LeaseStore> {
  const { kubernetesLease } = await import('#agent/kube/leaseStore.ts');
  return kubernetesLease({
    ...leaseNameOf(config),
    access: { kubeconfig: config.kubernetes.kubeconfig },
    ttlMs: ttlMsOf(config),
    ...ends,
  });
}

/** What the Lease is called and where it is: RBAC names it (docs/kubernetes.md). */
export const leaseNameOf = ({
  cluster,
  kubernetes,
}: Pick<Config, 'cluster' | 'kubernetes'>): {
  readonly namespace: string;
  readonly name: string;
} => ({
  namespace: kubernetes.namespace ?? podNamespace() ?? USUAL_NAMESPACE,
  name: `tidelock-${cluster}-conductor`,
});

const ttlMsOf = ({ epochs }: LeaseConfig): number => LEASE_PERIODS * epochs.periodMs;

function podNamespace(): string | undefined {
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined; // in no pod, or in one without a service account
  }
}
