// One worker of the data plane: owns every connection it accepts until it closes. Wires keys, routes,
// sockets and conversations together and follows what the main thread says; what the protocol asks of
// a connection is in inbound.ts, outbound.ts and lane.ts.
import { wipe } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { Batches } from './batches.ts';
import type { DescriptorRoom } from './descriptors.ts';
import { sendCanary } from './canary.ts';
import { snapshotOf } from './channel.ts';
import {
  LANES_PER_PAGE,
  type Family,
  type FromWorker,
  type SharedQuotas,
  type ToWorker,
} from './control.ts';
import type { Conversation } from './conversation.ts';
import type { CounterRow } from './counters.ts';
import { Entrances } from './entrances.ts';
import { EventBox } from './eventBox.ts';
import type { LaneInfo } from './facts.ts';
import type { Floor } from './floor.ts';
import { Inheritance } from './inheritance.ts';
import { KeyRing } from './keyRing.ts';
import { LinkedList } from './linked.ts';
import { MaidDesk } from './maidDesk.ts';
import { PeersInUse } from './peersInUse.ts';
import { Quota } from './quota.ts';
import type { ReplaySet } from './replay.ts';
import type { Reactor } from './reactor.ts';
import { Review } from './review.ts';
import { Routes } from './routes.ts';
import { NO_SNAPSHOT, USUAL_LIMITS, isAhead, wholeChains, type LocalPod } from './snapshot.ts';
import { SocketPool } from './socketPool.ts';
import { Strangers } from './strangers.ts';
import { Verifier } from './verifier.ts';
import { Whereabouts } from './whereabouts.ts';
import { Wires } from './wires.ts';

export interface LaneWorkerParts {
  /** Which worker of its data plane this is. */
  readonly index: number;
  readonly clock: Clock;
  /** Of the thread that the worker runs in. */
  readonly reactor: Reactor;
  readonly counters: CounterRow;
  readonly replay: Pick<ReplaySet, 'testAndSet'>;
  /** Of all workers of its data plane together. */
  readonly quotas: SharedQuotas;
  readonly descriptors: DescriptorRoom;
  readonly randomBytes: (length: number) => Buffer;
  readonly originalDestination: Floor['originalDestination'];
  /** How long an account of a connection waits for others, to go in one message. */
  readonly holdEventsMs: number;
  /** To the main thread; byte arrays are copied. */
  readonly post: (message: FromWorker) => void;
}

/** What a SlotClock takes for a step before any chain says its period (PROTOCOL 4). */
const USUAL_PERIOD_MS = 10_000;
/** Key updates of idle lanes are spread over time: this many, then other work. */
const REFRESH_BATCH = 64;
const REFRESH_PAUSE_MS = 1;
/** Between batches of old chains: all are through within a fifth of a second. */
const LATE_PAUSE_MS = 3;
/** While a drain waits for openings that may be on their way. */
const LOOK_EVERY_MS = 100;

export class LaneWorker {
  readonly #parts: LaneWorkerParts;
  readonly #floor: Floor;
  readonly #slots: SlotClock;
  readonly #ring = new KeyRing();
  readonly #pool: SocketPool;
  readonly #strangers: Strangers;
  readonly #wires: Wires;
  readonly #events: EventBox;
  readonly #entrances: Entrances;
  readonly #whereabouts: Whereabouts;
  readonly #peersInUse: PeersInUse;
  readonly #conversations = new LinkedList<Conversation>();
  readonly #review: Review;
  readonly #verifier: Verifier;
  #passages = 0;
  #routes = new Routes(NO_SNAPSHOT);
  #policyVersion = NO_SNAPSHOT.policy.version;
  #frame: Uint8Array | undefined;
  #inheritance: Inheritance | undefined;
  /** Monotonic; counted from the first snapshot of the new control plane. */
  #inheritsUntilMs: number | undefined;
  /** In use until the next snapshot. */
  #spent: Inheritance[] = [];
  #cancelTick: () => void = () => undefined;
  #refreshing: Conversation[] = [];
  readonly #refreshes: Batches;
  /** Of older chains. */
  readonly #lateTicks: Batches;
  #isDraining = false;
  /** The deadline of the drain is over. */
  #isLate = false;
  #cancelLook: () => void = () => undefined;
  /** Connections that are not yet a conversation. */
  #openings = 0;
  #isClosed = false;

  constructor(parts: LaneWorkerParts) {
    const { index, clock, reactor, counters, replay, randomBytes, originalDestination, post } =
      parts;
    this.#parts = parts;
    this.#slots = new SlotClock(clock, USUAL_PERIOD_MS);
    this.#events = new EventBox(clock, parts.holdEventsMs, (batch) =>
      post({ type: 'events', ...batch }),
    );
    this.#review = new Review(clock);
    this.#verifier = new Verifier(post);
    const ask = (podUid: string, family: Family, want: number): void =>
      post({ type: 'poolLow', podUid, family, want });
    this.#pool = new SocketPool(ask, clock, parts.descriptors);
    const random = (): number => randomBytes(4).readUInt32BE(0) / 2 ** 32;
    const { idle } = parts.descriptors;
    const most = { open: idle, known: idle, ending: idle };
    this.#strangers = new Strangers(clock, random, counters, most);
    this.#wires = new Wires(clock);
    const firstId = randomBytes(6).readUIntBE(0, 6);
    this.#whereabouts = new Whereabouts(clock, firstId, (id, address) =>
      post({ type: 'whereIs', id, address }),
    );
    this.#peersInUse = new PeersInUse(clock, (peers) => post({ type: 'using', peers }));
    this.#refreshes = new Batches(clock, REFRESH_PAUSE_MS, () => this.#refreshSome());
    this.#lateTicks = new Batches(clock, LATE_PAUSE_MS, () =>
      this.#ring.tickLate(this.#slots.timeMs()),
    );
    this.#floor = {
      worker: index,
      clock,
      reactor,
      counters,
      replay,
      randomBytes,
      originalDestination,
      slots: this.#slots,
      ring: this.#ring,
      routes: () => this.#routes,
      whereabouts: this.#whereabouts,
      maids: new MaidDesk(this.#verifier.verify, clock),
      pool: this.#pool,
      strangers: this.#strangers,
      podQuota: new Quota(parts.quotas.pods, index, clock),
      calledQuota: new Quota(parts.quotas.podsCalled, index, clock),
      peerQuota: new Quota(parts.quotas.peers, index, clock),
      wires: this.#wires,
      isDraining: () => this.#isDraining,
      nextNumber: () => {
        this.#passages += 1;
        return this.#passages;
      },
      report: (kind, tell) => this.#events.note(kind, tell),
      opening: (change) => {
        this.#openings += change;
        if (change < 0) this.#maybeDrained();
      },
      enter: (conversation) => {
        this.#conversations.add(conversation);
        this.#peersInUse.entered(conversation);
        if (this.#isLate) reactor.late({ run: () => conversation.cut('shutdown') });
      },
      leave: (conversation) => this.#left(conversation),
    };
    this.#entrances = new Entrances(this.#floor, parts.descriptors);
    this.#armTick();
  }

  /** Does what the main thread says. */
  handle(message: Exclude<ToWorker, { type: 'begin' }>): void {
    switch (message.type) {
      case 'snapshot':
        this.#take(message.frame);
        return;
      case 'listen':
        this.#entrances.open(message.fd, message.role);
        return;
      case 'unlisten':
        this.#entrances.close(message.role);
        return;
      case 'sockets':
        this.#pool.give(message.podUid, message.family, message.fds);
        return;
      case 'verified':
        this.#verifier.answered(message.id, message.valid);
        return;
      case 'whereabouts':
        this.#whereabouts.answer(message.id, message.isKnown);
        return;
      case 'succeeded':
        this.#pool.askAgain();
        this.#whereabouts.askAgain();
        this.#peersInUse.tell();
        this.#inherit();
        return;
      case 'lanes':
        this.#list(message.id, message.after);
        return;
      case 'canary':
        sendCanary(this.#floor, message.peer, (failed, tookMs) =>
          this.#parts.post({
            type: 'canary',
            id: message.id,
            tookMs,
            ...(failed !== undefined && { failed }),
          }),
        );
        return;
      case 'drain':
        this.#drain(message.deadlineMs);
    }
  }

  /** Ends everything at once and overwrites every key. */
  close(): void {
    this.#isClosed = true;
    this.#refreshes.close();
    this.#lateTicks.close();
    this.#cancelTick();
    this.#cancelLook();
    this.#entrances.closeAll();
    this.#whereabouts.close();
    for (const conversation of this.#conversations.toArray()) conversation.cut('shutdown');
    this.#peersInUse.close();
    this.#strangers.close();
    this.#wires.close();
    this.#pool.close();
    this.#ring.close();
    this.#frame?.fill(0);
    for (const inheritance of [this.#inheritance, ...this.#spent]) inheritance?.close();
  }

  #take(frame: Uint8Array): void {
    const nowMs = this.#parts.clock.monoMs();
    this.#inheritsUntilMs ??= nowMs + (this.#inheritance?.lastsMs ?? 0);
    if (this.#inheritance !== undefined && nowMs > this.#inheritsUntilMs) {
      this.#spent.push(this.#inheritance);
      this.#inheritance = undefined;
    }
    const decoded = snapshotOf(frame);
    const snapshot = this.#inheritance?.addTo(decoded) ?? decoded;
    if (isAhead(snapshot, this.#slots.timeMs())) this.#slots.adopt();
    this.#ring.replace(snapshot, this.#slots.timeMs());
    // The ring has its own, which it ticks; these would stay as they are for as long as no snapshot comes.
    for (const { key } of wholeChains(decoded)) wipe(key);
    this.#routes = new Routes(snapshot);
    const { limits = USUAL_LIMITS, pods, peers } = snapshot;
    const uids = pods.map(({ uid }) => uid);
    const { podQuota, calledQuota, peerQuota } = this.#floor;
    for (const quota of [podQuota, calledQuota]) {
      quota.allow(uids, {
        lanes: limits.perPodLanes,
        openingsPerSecond: limits.perPodOpeningsPerSecond,
      });
    }
    peerQuota.allow(
      peers.map(({ node }) => node),
      { lanes: limits.perPeerLanes, openingsPerSecond: limits.perPeerOpeningsPerSecond },
    );
    this.#pool.retain(snapshot.pods.map((pod) => ({ uid: pod.uid, families: familiesOf(pod) })));
    this.#frame?.fill(0); // the keys of the snapshot before
    for (const inheritance of this.#spent.splice(0)) inheritance.close();
    this.#frame = frame;
    const isPolicyNew = snapshot.policy.version !== this.#policyVersion;
    this.#policyVersion = snapshot.policy.version;
    for (const conversation of this.#conversations.toArray()) {
      const terms = { isPolicyNew, halfClosedMs: limits.halfClosedMs };
      const objection = this.#review.objection(conversation, this.#routes, terms);
      if (objection) conversation.cut(objection);
    }
    this.#strangers.reconsider();
    this.#lateTicks.start();
    this.#refreshAll();
    this.#armTick();
    this.#parts.post({ type: 'ack', version: snapshot.version });
  }

  /** Conversations are in the order of their numbers. */
  #list(id: number, after: number): void {
    const lanes: LaneInfo[] = [];
    let live = 0;
    let last = after;
    let next: number | undefined;
    for (const { passage } of this.#conversations.toArray()) {
      if (!passage.isTraffic) continue;
      live += 1;
      if (passage.number <= after) continue;
      if (lanes.length === LANES_PER_PAGE) {
        next ??= last;
        continue;
      }
      lanes.push(passage.info());
      last = passage.number;
    }
    this.#parts.post({ type: 'lanes', id, lanes, live, ...(next !== undefined && { next }) });
  }

  /** The next snapshot is of another control plane, which counts versions anew. */
  #inherit(): void {
    this.#policyVersion = NO_SNAPSHOT.policy.version;
    this.#inheritsUntilMs = undefined;
    if (this.#frame === undefined) return; // the one before said nothing
    if (this.#inheritance !== undefined) this.#spent.push(this.#inheritance);
    this.#inheritance = new Inheritance(this.#frame);
    this.#frame = undefined; // its bytes stay in use
  }

  #drain(deadlineMs: number): void {
    this.#isDraining = true;
    this.#entrances.closeAll();
    this.#wires.close();
    this.#parts.clock.after(deadlineMs, () => {
      this.#isLate = true;
      for (const conversation of this.#conversations.toArray()) conversation.cut('shutdown');
      this.#maybeDrained();
    });
    this.#maybeDrained();
  }

  #left(conversation: Conversation): void {
    this.#conversations.delete(conversation);
    this.#peersInUse.left(conversation);
    this.#maybeDrained();
  }

  /** Looks at the end of the turn: what stops being an opening then may be a conversation. */
  #maybeDrained(): void {
    if (!this.#isDraining) return;
    this.#parts.reactor.late({
      run: () => {
        if (this.#conversations.size > 0 || (this.#openings > 0 && !this.#isLate)) return;
        if (this.#strangers.areAwaited && !this.#isLate) {
          this.#cancelLook();
          this.#cancelLook = this.#parts.clock.after(LOOK_EVERY_MS, () => this.#maybeDrained());
          return;
        }
        this.#events.send();
        this.#parts.post({ type: 'drained' });
      },
    });
  }

  #armTick(): void {
    this.#cancelTick();
    if (this.#isClosed) return;
    const periods = this.#ring.periodsMs.length > 0 ? this.#ring.periodsMs : [USUAL_PERIOD_MS];
    const untilMs = Math.min(...periods.map((periodMs) => this.#slots.untilNextMs(periodMs)));
    this.#cancelTick = this.#parts.clock.after(Math.ceil(untilMs), () => {
      this.#ring.tick(this.#slots.timeMs());
      this.#strangers.reconsider();
      this.#lateTicks.start();
      this.#refreshAll();
      this.#armTick();
    });
  }

  /** Lets every conversation renew its keys. */
  #refreshAll(): void {
    this.#refreshing = this.#conversations.toArray();
    this.#refreshes.start();
  }

  #refreshSome(): boolean {
    for (const conversation of this.#refreshing.splice(-REFRESH_BATCH)) conversation.refresh();
    return this.#refreshing.length > 0;
  }
}

const isV6 = (ip: string): boolean => ip.includes(':');

function familiesOf(pod: LocalPod): Family[] {
  const families: Family[] = pod.ips.some((ip) => !isV6(ip)) ? [4] : [];
  return pod.ips.some(isV6) ? [...families, 6] : families;
}
