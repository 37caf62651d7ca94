// The epochs of one agent: everything in this folder, made and put together. Who it talks to, what attests the node
// and what is told of it to the data plane is given; it decides nothing.
import type { NodeName, Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import { AdmissionDesk } from './admission.ts';
import { Attestor, type AttestorOptions } from './attestor.ts';
import type { Bus } from './bus.ts';
import { Conductor } from './conductor.ts';
import { Endorser, type Endorsing } from './endorser.ts';
import type { Examiner } from './examiner.ts';
import { RecordFollower } from './follower.ts';
import { RecordHistory } from './history.ts';
import { ChainKeeper } from './keeper.ts';
import type { Lease } from './lease.ts';
import { Membership } from './membership.ts';
import { OwnStatements } from './ownStatements.ts';
import { Patience } from './patience.ts';
import { PeerBook } from './peers.ts';
import { PeersInUse } from './peersInUse.ts';
import { EpochPlane, type PlaneOptions } from './plane.ts';
import type { RecordLimits } from './record.ts';
import type { Revocations } from './revocations.ts';
import { RosterPublisher } from './rosterPublisher.ts';
import { RosterSource } from './rosterSource.ts';
import { UsedSeals } from './sealed.ts';
import { SealKeys } from './sealKeys.ts';
import type { OwnStatement } from './statement.ts';
import type { Subjects } from './subjects.ts';
import { Voice, type VoiceOptions } from './voice.ts';
import { Whereabouts } from './whereabouts.ts';

export interface EpochsOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly lease: Lease;
  readonly revocations: Revocations;
  readonly peersFile?: PlaneOptions['peersFile'];
  /** Checks evidence, on records of this history. */
  readonly examinerOf: (history: RecordHistory) => Examiner;
  readonly collect: AttestorOptions['collect'];
  readonly enrolment: AttestorOptions['enrolment'];
  /** What it endorses other nodes by; absent: it endorses nobody. */
  readonly endorsing?: Endorsing | undefined;
  /** Of this host; what expires goes by slot time. */
  readonly clock: Clock;
  readonly slots: SlotClock;
  readonly log: Log;
  readonly randomBytes: (count: number) => Buffer;
  /** From 0 to under 1, for moments. */
  readonly random: () => number;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly periodMs: number;
  readonly renewMs: number;
  /** How long an admission lasts. */
  readonly ttlMs: number;
  readonly maxStalenessMs: number;
  /** A cluster of up to so many nodes is known whole. */
  readonly knowAllUpTo: number;
  /** Nodes that it has to do with in any case. */
  readonly named?: () => readonly NodeName[];
  /** Of the owners' policy. */
  readonly policyHash: string;
  readonly limits: Pick<RecordLimits, 'periodMs' | 'algorithms'>;
  /** CHIPS ids that this build has. */
  readonly ownAlgorithms: readonly number[];
  readonly onAttested: (own: OwnStatement) => void;
  readonly onChange: PlaneOptions['onChange'];
  readonly told: PlaneOptions['told'];
  readonly isTold: VoiceOptions['isTold'];
  readonly directory: VoiceOptions['directory'];
}

export interface Epochs {
  readonly attestor: Attestor;
  readonly conductor: Conductor;
  readonly examiner: Examiner;
  readonly follower: RecordFollower;
  readonly inUse: PeersInUse;
  readonly keeper: ChainKeeper;
  readonly membership: Membership;
  readonly own: OwnStatements;
  readonly peers: PeerBook;
  readonly plane: EpochPlane;
  readonly slots: SlotClock;
  slot(): Slot;
  /** Starts all of it, with the peers that were in use before. */
  start(): Promise<void>;
  /** Ends the plane, and gives the lease up. */
  close(): Promise<void>;
  /** Erases the keys of all chains. */
  forget(): void;
}

export function openEpochs(options: EpochsOptions): Epochs {
  const { bus, subjects, lease, slots, node, domain, cluster, periodMs, limits, policyHash } =
    options;
  const clock = slots.asClock();
  const { maxStalenessMs, ttlMs, randomBytes: random } = options;
  const slot = (): Slot => slots.slot(periodMs);
  const keeper = new ChainKeeper({ maxStalenessMs });
  const history = new RecordHistory(policyHash, maxStalenessMs);
  const own = new OwnStatements();
  const peers = new PeerBook();
  const usedSeals = new UsedSeals();
  const source = new RosterSource(bus, subjects.buckets.roster);
  const inUse = new PeersInUse({ ...options, clock });
  const whereabouts = new Whereabouts({ ...options, clock });
  const examiner = options.examinerOf(history);
  const shared = {
    ...options,
    clock,
    keeper,
    history,
    own,
    peers,
    usedSeals,
    source,
    inUse,
    random,
  };
  const parts = { ...shared, whereabouts, examiner };

  const follower = new RecordFollower({
    ...parts,
    limits: { ...limits, domain, cluster },
    lookBackMs: ttlMs,
    ownStatement: (sid) => own.find(sid),
  });
  const patience = new Patience({ ...parts, follower });
  const basis = (): string => follower.newest?.hash ?? policyHash;
  const attestor: Attestor = new Attestor({
    ...parts,
    algorithms: options.ownAlgorithms,
    basis,
    leading: () => conductor.leading,
    onAttested: (statement) => {
      own.add(statement);
      options.onAttested(statement);
    },
  });
  const self = (): OwnStatement | undefined => attestor.current;
  const desk = new AdmissionDesk({
    ...parts,
    patience,
    sealKeys: new SealKeys(bus, subjects),
    self,
    basis,
    slot,
  });
  const conductor: Conductor = new Conductor({
    ...parts,
    lease,
    desk,
    publisher: new RosterPublisher(bus, subjects.buckets.roster),
    algorithms: limits.algorithms,
    self,
    standing: (holder) => (holder === node ? 'member' : membership.standing(holder)),
    // What an earlier control plane told the data plane is of a cluster that is there: none is begun beside it.
    ready: () => follower.ready && (follower.newest !== undefined || options.isTold()),
    newest: () => follower.newest,
    apply: (record) => plane.applied(record),
  });
  const membership: Membership = new Membership({
    ...parts,
    follower,
    patience,
    onWithdrawal: (of, sid, why) => conductor.onWithdrawal(of, sid, why),
  });
  const plane: EpochPlane = new EpochPlane({
    ...parts,
    attestor,
    conductor,
    follower,
    membership,
    voice: new Voice({ ...parts, clock: options.clock }),
    random: options.random,
  });
  const { endorsing } = options;
  const endorser = endorsing && new Endorser({ ...parts, ...endorsing, attestor, follower });
  return {
    attestor,
    conductor,
    examiner,
    follower,
    inUse,
    keeper,
    membership,
    own,
    peers,
    plane,
    slots,
    slot,
    start: async () => {
      for (const peer of (await options.peersFile?.read()) ?? []) inUse.met(peer);
      plane.start();
      endorser?.start();
    },
    close: () => plane.close(),
    forget: () => keeper.close(),
  };
}
