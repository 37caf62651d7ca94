// All that `tidelock why` knows when it answers: plain values read from the agent's parts at one moment.
// Whoever gathers them decides nothing; whoever judges them reads nothing else.
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import type { ServiceSpec } from '#agent/inventory/services.ts';
import type { Epochs } from '#agent/api/epochs.ts';
import type { Refusal } from '#proxy/counters.ts';
import type { Facts } from '#proxy/facts.ts';
import type { DataPlaneStatus } from '#proxy/plane.ts';
import type { CompiledPolicy } from '#proxy/policy.ts';
import type { Range } from '#proxy/range.ts';
import type { RefusedSource, RulesState } from '#proxy/redirect/nftables.ts';
import type { RuleCounts } from '#proxy/redirect/ruleCounters.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';
import type { Peer } from '#proxy/snapshot.ts';

/** What went wrong and what to do about it, as a TidelockError has it. */
export interface Problem {
  readonly message: string;
  readonly hint: string;
}

/** A pod of this node. */
export interface PodFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly spiffeId: SpiffeId;
  readonly ips: readonly string[];
  readonly netns: { readonly path: string } | { readonly problem: string };
  readonly captured: boolean;
  readonly problem?: Problem | undefined;
  /** Why its programs do not see their clients' addresses, if they should. */
  readonly sourceProblem?: string | undefined;
}

/** A pod of another node, as that node's workload directory has it. */
export interface RemoteFacts {
  readonly uid: string;
  readonly spiffeId: SpiffeId;
  readonly ips: readonly string[];
}

export interface PeerFacts {
  readonly node: NodeName;
  /** Verdict and time left of the statement that is accepted here; absent: none is. */
  readonly accepted?: { readonly verdict: string; readonly expiresInMs: number } | undefined;
  /** Why none is, if a reason is known. */
  readonly refused?: string | undefined;
  readonly lane?: { readonly address: string; readonly port: number } | undefined;
  readonly pods: readonly RemoteFacts[];
  readonly send: Peer['send'];
  /** Algorithm of the chain in `send`. */
  readonly algorithm?: string | undefined;
}

/** What became of the latest connections that the question is about. */
export interface ConnectionFacts {
  /** Live now, and when the newest of them was opened; unix milliseconds. */
  readonly live: number;
  readonly openedAt?: number | undefined;
  /** When the last one that had carried bytes ended; unix milliseconds. */
  readonly closedAt?: number | undefined;
  readonly refused?: LastRefusal | undefined;
}

export interface LastRefusal extends Facts {
  /** Unix milliseconds. */
  readonly at: number;
  readonly reason: Refusal;
  readonly detail?: string | undefined;
  /** How many there were since the first that is remembered. */
  readonly count: number;
}

/** What passes the pod asked about outside of lanes. */
export interface OutsideFacts {
  readonly settings: Plaintext;
  /** Absent when it is not captured. */
  readonly counts?: RuleCounts | undefined;
  /** The last one first. */
  readonly refused: readonly RefusedSource[];
}

export interface WhyFacts {
  readonly node: NodeName;
  /** Unix milliseconds. */
  readonly nowMs: number;
  readonly inventoryProblem?: Problem | undefined;
  readonly pods: readonly PodFacts[];
  /** Of the pod asked about; absent when it is not captured. */
  readonly rules?: RulesState | Problem | undefined;
  readonly dataPlane: Pick<DataPlaneStatus, 'state' | 'pid' | 'restarts'>;
  readonly self: {
    readonly verdict: string;
    /** Empty while all is well. */
    readonly reason: string;
    readonly hint?: string | undefined;
    readonly admitted: boolean;
  };
  readonly peers: readonly PeerFacts[];
  /** In force. */
  readonly policy: CompiledPolicy;
  /** Why that is not what the policy files say now, if so. */
  readonly policyProblem?: Problem | undefined;
  readonly policyMode: 'enforce' | 'observe';
  readonly unmeshed: 'refuse' | 'plain';
  readonly unmeshedExcept: readonly Range[];
  readonly services: readonly ServiceSpec[];
  readonly outside: OutsideFacts;
  readonly epochs: Pick<Epochs, 'state' | 'text'>;
  /** Whether the peer's lane port took a connection; absent when none was tried. */
  readonly reach?: { readonly problem?: string } | undefined;
  readonly connections: ConnectionFacts;
}
