// What must hold before an agent may start: checked before anything on the machine is touched.
import { TidelockError } from '#agent/base/errors.ts';
import type { AttestationPolicy } from '#attest/policy.ts';
import type { Config } from './config.ts';

/** Errors: ROOT_REQUIRED. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new TidelockError('ROOT_REQUIRED', {
    op: 'agent.run',
    message: 'Cannot run the agent: not root',
    hint: 'It enters the network namespaces of pods and loads nftables rules. Run it as root; the data plane drops to lanes.uid by itself.',
  });
}

/** The owners' policy is for this cluster and allows the period configured. Errors: CONFIG_INVALID. */
export function requireFit(policy: AttestationPolicy, { domain, cluster, epochs }: Config): void {
  const { min, max } = policy.periodMs;
  const fits = epochs.periodMs >= min && epochs.periodMs <= max;
  if (policy.domain === domain && policy.cluster === cluster && fits) return;
  throw new TidelockError('CONFIG_INVALID', {
    op: 'agent.run',
    message: `Cannot run under the attestation policy: it is for ${policy.domain}/${policy.cluster} with epochs.periodMs of ${min} to ${max}, the configuration says ${domain}/${cluster} and ${epochs.periodMs}`,
    hint: 'Correct domain, cluster or epochs.periodMs, or have the owners sign a policy for them with tidelock init --owner.',
  });
}
