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

/** Worst while one peer is good: 10 s, 5 s for a mute one, 1 s, and 5 s more when the good one is late. */
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

/**
 * Lanes work as long as some peer answers: one that does not may itself be broken, and is counted in the
 * reason. When none does any more, it is this node that reaches nobody.
 */
function canaryCheck({ status, canary, nowMonoMs }: ReadinessFacts): ReadinessCheck {
  const { last } = canary;
  const peers = status.peers.filter(({ sendChain }) => sendChain !== undefined).length;
  const ageMs = last === undefined ? Infinity : nowMonoMs - last.monoMs;
  const isFresh = ageMs <= CANARY_FRESH_MS;
  const ok = isFresh && (last?.peer !== undefined || peers === 0);
  return { name: 'canary', ok, reason: canaryReason(canary, peers, ageMs) };
}

function canaryReason(
  { last, silent, problem }: CanaryState,
  peers: number,
  ageMs: number,
): string {
  const age = `${Math.round(ageMs / 1000)} s`;
  const mute = silent.size === 0 ? '' : `; ${silent.size} of ${peers} peers did not answer theirs`;
  if (last?.peer !== undefined) {
    return ageMs <= CANARY_FRESH_MS
      ? `lanes work: one last came back from a peer ${age} ago${mute}`
      : `lanes fail: none came back from any peer for ${age}${mute}`;
  }
  if (peers > 0) return `none has come back from any of ${peers} peers yet${mute}`;
  if (problem !== '') return `there is no peer, and ${problem}`;
  if (last === undefined) return 'none has come back yet';
  return `there is no peer; the workers last answered ${age} ago`;
}

/** Peers shown that did not answer: an operator needs the first few. */
const MAX_SHOWN = 16;

/** The same for `tidelock status`, which may name peers. `nowMonoMs` by the canary's clock. */
export const readinessSeen = (
  { ready, checks }: Readiness,
  { last, silent }: CanaryState,
  nowMonoMs: number,
): NonNullable<Status['readiness']> => ({
  ready,
  reasons: checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`),
  canary: {
    ...(last && { ageMs: Math.round(nowMonoMs - last.monoMs) }),
    ...(last?.peer && { peer: last.peer.node, tookMs: last.peer.tookMs }),
    silent: [...silent].slice(0, MAX_SHOWN).map(([peer, reason]) => ({ peer, reason })),
  },
});
