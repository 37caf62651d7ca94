// What must hold before an agent may start, and the durations it then keeps to.
import { TidelockError } from '#agent/base/errors.ts';
import { BEHIND, setProcessPriority } from '#agent/base/priority.ts';
import type { AttestationPolicy } from '#attest/policy.ts';
import { setUndumpable } from '#proxy/native/process.ts';
import type { Config } from './config.ts';

/** Makes of this process one that may be a control plane. Errors: ROOT_REQUIRED. */
export function prepareProcess(): void {
  if (process.getuid?.() !== 0) throw notRoot();
  setUndumpable(); // a core would hold every key
  setProcessPriority(BEHIND); // what it does at each slot is to hold up no lane
}

const notRoot = (): TidelockError =>
  new TidelockError('ROOT_REQUIRED', {
    op: 'agent.run',
    message: 'Cannot run the agent: not root',
    hint: 'It enters the network namespaces of pods and loads nftables rules. Run it as root; the data plane drops to lanes.uid by itself.',
  });

/** Durations in effect: what is configured, unless the owners allow less. */
export interface Terms {
  readonly maxStalenessMs: number;
  readonly renewMs: number;
  /** How long an admission stands without renewal. */
  readonly ttlMs: number;
}

/** An admission outlives the renewal that should replace it by as much again. */
const TTL_RENEWALS = 2;

export function termsOf(
  { epochs, attestation }: Config,
  { maxStalenessMs, lifetimeMs }: AttestationPolicy,
): Terms {
  const renewMs = Math.min(attestation.renewSeconds * 1000, lifetimeMs / TTL_RENEWALS);
  return {
    maxStalenessMs: Math.min(epochs.maxStalenessSeconds * 1000, maxStalenessMs),
    renewMs,
    ttlMs: TTL_RENEWALS * renewMs,
  };
}
