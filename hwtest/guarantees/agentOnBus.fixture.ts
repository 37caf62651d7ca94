// The epoch plane of an agent as agent/app.ts wires it, on a real bus: lease, conductor, admission, records,
// sealed messages, presence. Only the TPM is left out: every statement's evidence is taken for good.
import { randomBytes } from 'node:crypto';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import { AdmissionDesk } from '#agent/epochs/admission.ts';
import { Attestor } from '#agent/epochs/attestor.ts';
import { openBus, type Bus } from '#agent/epochs/bus.ts';
import { Conductor } from '#agent/epochs/conductor.ts';
import { Examiner, type Examined } from '#agent/epochs/examiner.ts';
import { RecordFollower } from '#agent/epochs/follower.ts';
import { RecordHistory } from '#agent/epochs/history.ts';
import { ChainKeeper } from '#agent/epochs/keeper.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import { openLease } from '#agent/epochs/lease.ts';
import { Membership } from '#agent/epochs/membership.ts';
import { OwnStatements } from '#agent/epochs/ownStatements.ts';
import { PeerBook } from '#agent/epochs/peers.ts';
import { EpochPlane } from '#agent/epochs/plane.ts';
import { appraisalOf, keptLog } from '#agent/epochs/records.fixture.ts';
import { Revocations } from '#agent/epochs/revocations.ts';
import { RosterSource } from '#agent/epochs/rosterSource.ts';
import { UsedSeals } from '#agent/epochs/sealed.ts';
import { parseStatement } from '#agent/epochs/statement.ts';
import { nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';
import { Voice } from '#agent/epochs/voice.ts';
import { policySchema } from '#attest/policy.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';

const DOMAIN = 'example.org';
const CLUSTER = 'test';
export const BUS_PERIOD_MS = 2_000;
/** Short, so that a generation begins every few slots. */
const RENEW_MS = 6_000;
const MAX_STALENESS_MS = 60_000;
export const SUBJECTS = subjectsOf(CLUSTER);
/** Streams and buckets of its cluster. */
export const BUS_LAYOUT = busLayout(SUBJECTS, MAX_STALENESS_MS, 1);
const TTL_MS = 30_000;
const LEASE_PERIODS = 3;
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
  periodMs: { min: BUS_PERIOD_MS, max: 30_000 },
  lifetimeMs: TTL_MS,
  maxStalenessMs: MAX_STALENESS_MS,
});

/** Takes what has the form of evidence for that of a good node, and remembers it as the real one does. */
class TrustingExaminer extends Examiner {
  readonly #good = new Map<Sid, Examined & { known: true }>();

  override remembered(sid: Sid): (Examined & { known: true }) | undefined {
    return this.#good.get(sid);
  }

  override async examine(node: NodeName, sid: Sid): Promise<Examined> {
    return this.#good.get(sid) ?? this.examineAgain(node, sid);
  }

  override appraise(node: NodeName, sid: Sid, evidence: unknown): Promise<Examined> {
    const { statement: text, challenge } = evidence as Evidence;
    const statement = parseStatement(fromB64url(text));
    if (statement.sid !== sid || statement.node !== node) {
      return Promise.resolve({ known: false, why: 'its evidence is for another statement' });
    }
    const examined = {
      known: true,
      statement,
      appraisal: appraisalOf('affirming'),
      evidenceDigest: POLICY_HASH,
      challengeRandom: challenge.random,
    } as const;
    this.#good.set(sid, examined);
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
    log: keptLog().log,
  });
  return startAgent(node, bus, systemClock, surroundings);
}

/** Starts the epoch plane of `node` on a bus of the test's. */
export function startAgent(
  node: NodeName,
  bus: Bus,
  clock: Clock,
  { lanePort, drawn, changed, renewMs = RENEW_MS }: Surroundings,
): AgentOnBus {
  const { log } = keptLog();
  const subjects = SUBJECTS;
  const periodMs = BUS_PERIOD_MS;
  const slots = new SlotClock(clock, periodMs);
  const history = new RecordHistory(POLICY_HASH);
  const keeper = new ChainKeeper({ maxStalenessMs: MAX_STALENESS_MS });
  const [own, peers, usedSeals] = [new OwnStatements(), new PeerBook(), new UsedSeals()];
  const source = new RosterSource(bus, subjects.buckets.roster);
  const random = (length: number): Buffer => {
    const bytes = randomBytes(length);
    drawn(bytes);
    return bytes;
  };
  const ends = {
    bus,
    subjects,
    clock: slots.asClock(),
    log,
    node,
    domain: DOMAIN,
    cluster: CLUSTER,
    periodMs,
    maxStalenessMs: MAX_STALENESS_MS,
  };
  const examiner = new TrustingExaminer({
    ...ends,
    owners: [],
    policy,
    reference: undefined,
    history,
    enrolmentOf: () => Promise.resolve(undefined),
    revocationOf: () => undefined,
    maxAgeMs: TTL_MS,
  });
  const follower = new RecordFollower({
    ...ends,
    examiner,
    keeper,
    history,
    source,
    slots,
    limits: { domain: DOMAIN, cluster: CLUSTER, periodMs: policy.periodMs, algorithms: ALGORITHMS },
    lookBackMs: TTL_MS,
    ownStatement: (sid) => own.find(sid),
  });
  const basis = (): string => follower.newest?.hash ?? POLICY_HASH;
  const attestor: Attestor = new Attestor({
    ...ends,
    examiner,
    collect: (statement, challenge) => {
      const given = { basis: challenge.basis, random: b64url(challenge.random) };
      return Promise.resolve({ v: 1, statement: b64url(statement), challenge: given });
    },
    random,
    algorithms: ALGORITHMS,
    basis,
    leading: () => conductor.leading,
    onAttested: (statement) => {
      own.add(statement);
      changed();
    },
  });
  const self = () => attestor.current;
  const desk = new AdmissionDesk({
    ...ends,
    examiner,
    keeper,
    source,
    usedSeals,
    random,
    ttlMs: TTL_MS,
    self,
    basis,
    slot: () => slots.slot(periodMs),
  });
  const conductor: Conductor = new Conductor({
    ...ends,
    lease: openLease({
      bus,
      bucket: subjects.buckets.lease,
      clock,
      ttlMs: () => LEASE_PERIODS * periodMs,
    }),
    keeper,
    desk,
    usedSeals,
    random,
    algorithms: ALGORITHMS,
    self,
    standing: (holder) => (holder === node ? 'member' : peers.standing(holder)),
    ready: () => follower.ready,
    newest: () => follower.newest,
    sealKeyOf: (of) => peers.sealKeyOf(of),
    apply: (record) => plane.applied(record),
  });
  const membership = new Membership({
    ...ends,
    examiner,
    follower,
    keeper,
    peers,
    slots,
    onWithdrawal: (of, sid, why) => conductor.onWithdrawal(of, sid, why),
  });
  const voice = new Voice({
    ...ends,
    clock,
    keeper,
    own,
    slots,
    isTold: () => true,
    directory: () => ({ lane: { address: '192.0.2.1', port: lanePort() }, pods: [] }),
  });
  const plane: EpochPlane = new EpochPlane({
    ...ends,
    attestor,
    conductor,
    examiner,
    follower,
    keeper,
    membership,
    own,
    peers,
    revocations: new Revocations({ ...ends, owners: [], directory: '/dev/null' }), // no owner, no word
    voice,
    slots,
    random: Math.random,
    renewMs,
    onChange: changed,
  });
  plane.start();
  return {
    node,
    keeper,
    own,
    peers,
    plane,
    timeMs: () => slots.timeMs(),
    close: async () => {
      await plane.close();
      keeper.close();
      await bus.close();
    },
  };
}
