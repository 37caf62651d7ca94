// A candidate at a stand-in API server of the test's own, with a clock that goes on as the test says, and what it logs.
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import { openLease, type Lease, type LeaseStore } from '#agent/epochs/lease.ts';
import { keptLog } from '#agent/epochs/records.fixture.ts';
import { kubernetesLease } from '#agent/kube/leaseStore.ts';
import type { KubeAccess } from '#agent/kube/session.ts';
import type { Rule } from '#hwtest/apiserver/rbac.ts';
import { StandInApiServer } from '#hwtest/apiserver/standIn.ts';
import { candidateAt, leaseNameIn, NAMESPACE, rulesFor, type Candidate } from './places.fixture.ts';

export const A = { node: 'node-a' as NodeName, sid: 'a'.repeat(32) as Sid };
export const B = { node: 'node-b' as NodeName, sid: 'b'.repeat(32) as Sid };
export const every = { highestTerm: 4, standing: () => 'member' as const };
export const CLUSTER = 'ill';
export const NAME = leaseNameIn(CLUSTER);
/** Beyond every pause between two tries, and within the lease. */
export const LATER_MS = 6000;
export const LEASE_MS = 3_600_000;

/** A line of the log. */
export interface Line {
  readonly event: string;
  readonly level: string;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

export interface Opened {
  readonly store: LeaseStore;
  readonly lease: Lease;
  readonly said: (event: string) => Line[];
}

/** Of one file of tests: a server for all, and for each a candidate with the rights of the manifests. */
export class ApiBed {
  #server: StandInApiServer | undefined;
  #candidate: Candidate | undefined;
  readonly #candidates: Candidate[] = [];
  readonly #opened: Lease[] = [];
  monoMs = 0;
  readonly clock: Clock = { ...systemClock, monoMs: () => this.monoMs };

  constructor() {
    beforeAll(async () => {
      this.#server = await StandInApiServer.start();
    });
    afterAll(() => this.server[Symbol.asyncDispose]());
    beforeEach(() => {
      this.#candidate = this.candidateWith(rulesFor(CLUSTER));
    });
    afterEach(async () => {
      this.server.fault = undefined;
      await this.server.away();
      await this.server.back();
      await Promise.all(this.#opened.splice(0).map((lease) => lease.close()));
      for (const candidate of this.#candidates.splice(0)) candidate.close();
      this.server.leases.remove(NAMESPACE, NAME);
    });
  }

  get server(): StandInApiServer {
    if (!this.#server) throw new Error('is not started');
    return this.#server;
  }

  /** Whom open() is for, unless it is told otherwise. */
  get candidate(): Candidate {
    if (!this.#candidate) throw new Error('is not made');
    return this.#candidate;
  }

  candidateWith(rules: readonly Rule[]): Candidate {
    const candidate = candidateAt(this.server, rules);
    this.#candidates.push(candidate);
    return candidate;
  }

  open(
    access: KubeAccess = { kubeconfig: this.candidate.kubeconfig },
    namespace = NAMESPACE,
  ): Opened {
    const { log, lines } = keptLog();
    const { clock } = this;
    const store = kubernetesLease({
      namespace,
      name: NAME,
      access,
      ttlMs: LEASE_MS,
      clock,
      random: Math.random,
      log,
    });
    const lease = openLease({ store, clock, ttlMs: LEASE_MS });
    this.#opened.push(lease);
    const all: readonly unknown[] = lines;
    const said = (event: string): Line[] =>
      (all as readonly Line[]).filter((line) => line.event === event);
    return { store, lease, said };
  }

  /** Tries as often as an agent does, each time in the next slot. */
  async tries(lease: Lease, count: number): Promise<unknown[]> {
    const held: unknown[] = [];
    for (let n = 0; n < count; n += 1) {
      this.monoMs += LATER_MS;
      held.push(await lease.hold({ ...A, ...every }));
    }
    return held;
  }
}
