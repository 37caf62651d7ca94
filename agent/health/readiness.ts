// Whether this node is ready to carry traffic, and if not, why: one check per thing that must hold.
// Pure. The reasons go to whoever may reach the health address, so they name no pod and no peer.
import type { Status } from '#agent/api/status.ts';
import type { CanaryState } from './canary.ts';

export interface ReadinessCheck {
  readonly name: 'node' | 'epochs' | 'data-plane' | 'pods' | 'canary';
  readonly ok: boolean;
  /** What was found, one clause. */
  readonly reason: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly ReadinessCheck[];
}

export interface ReadinessFacts {
  readonly status: Pick<Status, 'node' | 'epochs' | 'dataPlane' | 'pods' | 'peers'>;
  /** The cluster's roster has this node. */
  readonly isAdmitted: boolean;
  readonly canary: CanaryState;
  /** By the clock that noted the canary's passing. */
  readonly nowMonoMs: number;
}

/** A canary goes every 10 s: three in a row did not come back. */
export const CANARY_FRESH_MS = 35_000;

export function readinessOf(facts: ReadinessFacts): Readiness {
  const checks = [nodeCheck(facts), ...planeChecks(facts), podsCheck(facts), canaryCheck(facts)];
  return { ready: checks.every(({ ok }) => ok), checks };
}

function nodeCheck({ status: { node }, isAdmitted }: ReadinessFacts): ReadinessCheck {
  const isAttested = node.verdict === 'affirming' || node.verdict === 'warning';
  const admitted = isAdmitted ? 'admitted' : 'not admitted to the cluster';
  return {
    name: 'node',
    ok: isAttested && isAdmitted,
    reason: `the verdict about it is ${node.verdict}; ${admitted}`,
  };
}

function planeChecks({ status: { epochs, dataPlane } }: ReadinessFacts): ReadinessCheck[] {
  const isInEffect = epochs.chains.some(({ atSlot }) => atSlot <= epochs.slot);
  return [
    {
      name: 'epochs',
      ok: isInEffect,
      reason: isInEffect ? `epoch ${epochs.epoch} is in effect` : 'no chain is in effect',
    },
    {
      name: 'data-plane',
      ok: dataPlane.state === 'running',
      reason: `${dataPlane.state}, ${dataPlane.workers} workers`,
    },
  ];
}

function podsCheck({ status: { pods } }: ReadinessFacts): ReadinessCheck {
  const captured = pods.filter((pod) => pod.captured).length;
  return {
    name: 'pods',
    ok: captured === pods.length,
    reason: `${captured} of ${pods.length} captured`,
  };
}

/** One failure among others does not count against the node: that peer may be the broken one. */
function canaryCheck({ status, canary, nowMonoMs }: ReadinessFacts): ReadinessCheck {
  const name = 'canary';
  const { passedMonoMs, path } = canary;
  if (passedMonoMs === undefined) return { name, ok: false, reason: 'none has come back yet' };
  const ageMs = nowMonoMs - passedMonoMs;
  const ago = `${Math.round(ageMs / 1000)} s ago`;
  const isFresh = ageMs <= CANARY_FRESH_MS;
  if (path === 'peer') return { name, ok: isFresh, reason: `last came back from a peer ${ago}` };
  if (status.peers.some(({ sendChain }) => sendChain !== undefined)) {
    return { name, ok: false, reason: 'there is a peer, and none has come back from it yet' };
  }
  return { name, ok: isFresh, reason: `there is no peer; the workers last answered ${ago}` };
}
