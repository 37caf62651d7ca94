// The epoch plane of an agent as agent/epochs/epochs.ts puts it together, on a real bus: lease, conductor, admission, records,
// sealed messages, presence. Only the TPM is left out: every statement's evidence is taken for good.
import { randomBytes } from 'node:crypto';
import type { NodeName, Sid, SpiffeId } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import { openBus, type Bus } from '#agent/epochs/bus.ts';
import { openEpochs } from '#agent/epochs/epochs.ts';
import { Examiner, type Examined, type ExaminerOptions } from '#agent/epochs/examiner.ts';
import type { ChainKeeper } from '#agent/epochs/keeper.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import { busLease } from '#agent/epochs/busLease.ts';
import { openLease, type LeaseStore } from '#agent/epochs/lease.ts';
import type { OwnStatements } from '#agent/epochs/ownStatements.ts';
import type { PeerBook } from '#agent/epochs/peers.ts';
import type { EpochPlane } from '#agent/epochs/plane.ts';
import { Revocations } from '#agent/epochs/revocations.ts';
import { parseStatement } from '#agent/epochs/statement.ts';
import { nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';
import type { Conductor } from '#agent/epochs/conductor.ts';
import type { RecordFollower } from '#agent/epochs/follower.ts';
import type { Log } from '#agent/log.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { policySchema } from '#attest/policy.ts';

const DOMAIN = 'example.org';
const CLUSTER = 'test';
export const BUS_PERIOD_MS = 2_000;
/** Short, so that a generation begins every few slots. */
const RENEW_MS = 6_000;
const MAX_STALENESS_MS = 60_000;
export const SUBJECTS = subjectsOf(CLUSTER);
/** Streams and buckets of a cluster. */
export const busLayoutFor = (maxStalenessMs: number): ReturnType<typeof busLayout> =>
  busLayout(SUBJECTS, maxStalenessMs, 1);
export const BUS_LAYOUT = busLayoutFor(MAX_STALENESS_MS);
/** How long an admission lasts. */
export const ADMITTED_MS = 30_000;
/** A lease lapses after three periods, as agent/leaseOf.ts has it. */
const LEASE_PERIODS = 3;
export const BUS_LEASE_MS = LEASE_PERIODS * BUS_PERIOD_MS;
const POLICY_HASH = '0'.repeat(64);
/** AES-256-GCM with each way to derive. */
const ALGORITHMS = [1, 2, 3, 4, 5, 6, 7, 8];

const policy = policySchema.parse({
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  issuedAt: 0,
  bank: 'sha256',
  enforce: [0],
  warn: [],
  algorithms: ALGORITHMS,
  periodMs: { min: BUS_PERIOD_MS, max: 60_000 },
  lifetimeMs: ADMITTED_MS,
  maxStalenessMs: MAX_STALENESS_MS,
});

const SPIFFE_ID = 'spiffe://example.org/test/default/pod' as SpiffeId;
const nothing = (): void => undefined;
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
/** Takes what has the form of evidence for that of a good node, for as long as the record that it rests on allows. */
export class TrustingExaminer extends Examiner {
  readonly #o: ExaminerOptions;

  constructor(options: ExaminerOptions) {
    super(options);
    this.#o = options;
  }

  override appraise(
    node: NodeName,
    sid: Sid,
    evidence: unknown,
    fresh?: string,
  ): Promise<Examined> {
    const { statement: text, challenge } = evidence as Evidence;
    const { history, clock, maxAgeMs } = this.#o;
    const statement = parseStatement(fromB64url(text));
    if (statement.sid !== sid || statement.node !== node) {
      return Promise.resolve({ known: false, why: 'its evidence is for another statement' });
    }
    const { basis, random } = challenge;
    const isFresh = basis === fresh || history.acceptable(basis, clock.wallMs(), maxAgeMs);
    const examined = {
      known: true,
      statement,
      appraisal: {
        verdict: isFresh ? 'affirming' : 'contraindicated',
        checks: [],
        pcrs: {},
        clock: undefined,
        atMs: clock.wallMs(),
      },
      evidenceDigest: POLICY_HASH,
      challengeRandom: random,
    } as const;
    if (isFresh) this.remember(examined);
    return Promise.resolve(examined);
  }
}

interface Evidence {
  readonly statement: string;
  readonly challenge: { readonly basis: string; readonly random: string };
}

export interface AgentOnBus {
  readonly node: NodeName;
  readonly keeper: ChainKeeper;
  readonly own: OwnStatements;
  readonly peers: PeerBook;
  readonly plane: EpochPlane;
  readonly conductor: Conductor;
  readonly follower: RecordFollower;
  /** Slot time, milliseconds. */
  timeMs(): number;
  close(): Promise<void>;
}

export interface Surroundings {
  /** Where its lanes are to be found. */
  readonly lanePort: () => number;
  /** Sees all of its random bytes. */
  readonly drawn: (random: Buffer) => void;
  /** What it knows has changed. */
  readonly changed: () => void;
  /** Six seconds where absent. */
  readonly renewMs?: number;
  /** Everybody where absent. */
  readonly knowAllUpTo?: number;
  /** Two seconds where absent. */
  readonly periodMs?: number;
  /** A minute where absent; the bus must be laid out for it. */
  readonly maxStalenessMs?: number;
  /** How long an admission lasts; half a minute where absent. */
  readonly ttlMs?: number;
  /** Of its pods; none where absent. */
  readonly addresses?: readonly string[];
  /** How long its machine was suspended; never where absent. */
  readonly asleepMs?: () => number;
  /** Of the lease; on the bus where absent. */
  readonly leaseStore?: LeaseStore;
}

/** Starts the epoch plane of `node` on a real bus, in real time. */
export function startAgentOnBus(
  node: NodeName,
  servers: readonly string[],
  surroundings: Surroundings,
): AgentOnBus {
  const bus = openBus({
    servers,
    name: node,
    inboxPrefix: inboxOf(nodeToken(node)),
    ...BUS_LAYOUT,
    clock: systemClock,
    random: Math.random,
    log: SILENT,
  });
  return startAgent(node, bus, systemClock, surroundings);
}

/** Starts the epoch plane of `node` on a bus of the test's. */
export function startAgent(
  node: NodeName,
  bus: Bus,
  clock: Clock,
  surroundings: Surroundings,
): AgentOnBus {
  const { lanePort, drawn, changed } = surroundings;
  const { renewMs = RENEW_MS, knowAllUpTo = Infinity, addresses = [] } = surroundings;
  const { periodMs = BUS_PERIOD_MS, ttlMs = ADMITTED_MS } = surroundings;
  const { maxStalenessMs = MAX_STALENESS_MS } = surroundings;
  const subjects = SUBJECTS;
  const log = SILENT;
  const slots = new SlotClock(clock, periodMs, surroundings.asleepMs);
  const ends = {
    bus,
    subjects,
    clock: slots.asClock(),
    log,
    node,
    domain: DOMAIN,
    cluster: CLUSTER,
    periodMs,
    maxStalenessMs,
  };
  const lease = openLease({
    store: surroundings.leaseStore ?? busLease(bus, subjects.buckets.lease),
    clock,
    ttlMs: LEASE_PERIODS * periodMs,
  });
  const epochs = openEpochs({
    ...ends,
    clock,
    slots,
    lease,
    revocations: new Revocations({ ...ends, owners: [], directory: '/dev/null' }), // no owner, no word
    examinerOf: (history) =>
      new TrustingExaminer({
        ...ends,
        owners: [],
        policy,
        reference: undefined,
        history,
        enrolmentOf: () => Promise.resolve(undefined),
        revocationOf: () => undefined,
        maxAgeMs: ttlMs,
      }),
    collect: (statement, challenge) => {
      const given = { basis: challenge.basis, random: b64url(challenge.random) };
      return Promise.resolve({ v: 1, statement: b64url(statement), challenge: given });
    },
    enrolment: {},
    randomBytes: (length) => {
      const bytes = randomBytes(length);
      drawn(bytes);
      return bytes;
    },
    random: Math.random,
    renewMs,
    ttlMs,
    knowAllUpTo,
    policyHash: POLICY_HASH,
    limits: policy,
    ownAlgorithms: ALGORITHMS,
    onAttested: changed,
    onChange: changed,
    told: () => Promise.resolve(),
    isTold: () => true,
    directory: () => ({
      lane: { address: '192.0.2.1', port: lanePort() },
      pods: addresses.map((ip) => ({
        uid: `pod-${ip}`,
        ips: [ip],
        spiffeId: SPIFFE_ID,
        ports: [],
      })),
    }),
  });
  void epochs.start();
  const { keeper, own, peers, plane, conductor, follower } = epochs;
  return {
    node,
    keeper,
    own,
    peers,
    plane,
    conductor,
    follower,
    timeMs: () => slots.timeMs(),
    close: async () => {
      await epochs.close();
      epochs.forget();
      await bus.close();
    },
  };
}
