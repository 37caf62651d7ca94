// A connection on the lane port, from accept to an open lane (PROTOCOL 6): cheapest test first, replay
// before any byte is delivered, then MAID, destination and policy. Strangers get silence.
import { Buffer } from 'node:buffer';
import { slotAt } from '#agent/base/brands.ts';
import { fromHex, wipe } from '#agent/base/bytes.ts';
import { MODE, SALT_BYTES, type Denial } from '#proxy/see/opening.ts';
import { answerSide, CANARY_MS, deferring, isCanaryBlock } from './canary.ts';
import { closed, enter, leave, refused } from './carry.ts';
import type { Refusal } from './counters.ts';
import { deliver } from './delivery.ts';
import type { Facts } from './facts.ts';
import { FirstBytes } from './firstBytes.ts';
import type { Floor } from './floor.ts';
import { Lane, type LaneSide } from './lane.ts';
import { LaneReceiver, LaneSender } from './laneKeys.ts';
import { abandon, isPerhapsEarly, sealReply, tryOpening, type Opened } from './laneOpening.ts';
import { Leg, NOBODY } from './leg.ts';
import type { MaidToken } from './maid.ts';
import type { MaidAnswer } from './maidDesk.ts';
import { Passage } from './passage.ts';
import type { Accepted } from '#proxy/native/stream.ts';
import type { ReplayVerdict } from './replay.ts';
import type { Standing } from './routes.ts';
import { NO_SEAT } from './seats.ts';

/** So many lanes more than its limit a peer may have where they are canaries. */
const CANARY_LANES = 8;
const NO_TIMER = (): void => undefined;

const REPLAY_REFUSALS: Readonly<Record<Exclude<ReplayVerdict, 'fresh'>, Refusal>> = {
  replayed: 'replayed',
  full: 'replay-full',
  quota: 'replay-quota',
  stale: 'stale-slot',
};

/** Takes over a connection that was just accepted on the lane port. */
export function acceptLane(floor: Floor, accepted: Accepted): void {
  awaitOpening(floor, Leg.accepted(floor.reactor, accepted.fd, NOBODY), false);
}

/** Reads from `leg` until it is an opening or shows that it is none; `isKnown`: there was one before. */
function awaitOpening(floor: Floor, leg: Leg, isKnown: boolean): void {
  const { strangers, ring, routes } = floor;
  const held = new FirstBytes();
  let isEarly = false;
  const consider = (all: Buffer, mayWait: boolean): void => {
    const attempt = tryOpening(ring, (ref) => routes().statements(ref), all);
    if (attempt.kind === 'opened' && isFresh(floor, attempt.opened)) {
      strangers.release(stranger);
      leg.pause();
      new Newcomer(floor, leg, attempt.opened, all.subarray(attempt.opened.length)).judge();
      return;
    }
    isEarly = mayWait && isPerhapsEarly(attempt);
    if ((isEarly || attempt.kind === 'incomplete') && strangers.mayHold(stranger, all.length)) {
      if (held.length === 0) held.append(all);
      return;
    }
    isEarly = false;
    held.clear();
    if (isKnown) leg.destroy(); // nothing to hide from who has had a lane here
    else strangers.ignore(stranger);
  };
  leg.owner = {
    data: (bytes) => {
      const all = held.length > 0 ? held.append(bytes) : bytes;
      const isWaiting = isEarly && strangers.mayHold(stranger, all.length);
      if (!isWaiting) consider(all, true);
      strangers.count(stranger, bytes.length);
    },
    end: () => {
      if (isKnown) leg.end();
      else strangers.ignore(stranger);
    },
    drained: () => undefined,
    closed: () => strangers.release(stranger),
  };
  const stranger = strangers.add(leg, {
    isKnown,
    reconsider: (isLast) => {
      if (isEarly) consider(held.bytes, !isLast);
    },
  });
}

/** A lane has ended on `wire` in order, and the next may open on it; `rest` is what it has sent of that. */
function awaitNext(floor: Floor, wire: Leg, rest: Buffer): void {
  awaitOpening(floor, wire, true);
  if (rest.length > 0) wire.owner.data(rest);
  else if (floor.isDraining()) wire.end();
}

/**
 * The atomic test-and-set of PROTOCOL 6, for a peer that has openings left. What it
 * does not know to be fresh is treated as noise, and takes none of those.
 */
function isFresh(floor: Floor, opened: Opened): boolean {
  const { chain, slot, peer } = opened.start;
  const { peerQuota } = floor;
  const facts: Facts = { direction: 'in', peer: peer.node };
  if (!peerQuota.mayOpen(peerQuota.seatOf(peer.node))) {
    abandon(opened);
    refused(floor, 'peer-limit', facts, peerQuota.text);
    return false;
  }
  const verdict = floor.replay.testAndSet({
    kid: opened.kid,
    salt: opened.salt,
    source: fromHex(opened.header.srcRef),
    slot,
    periodMs: chain.periodMs,
    nowMs: floor.slots.timeMs(),
  });
  if (verdict === 'fresh') return true;
  abandon(opened);
  refused(floor, REPLAY_REFUSALS[verdict], facts, `opening under ${peer.sid}`);
  return false;
}

/** An authenticated, fresh opening on its way to a pod. Reading is paused meanwhile. */
class Newcomer {
  readonly #floor: Floor;
  readonly #wire: Leg;
  readonly #opened: Opened;
  readonly #peerSeat: number;
  /** Of the pod that it is for, once it has been admitted. */
  #calledSeat = NO_SEAT;
  /** Its peer has not reached its limits. */
  readonly #hasRoom: boolean;
  /** Frames that came with the opening. */
  readonly #early: Buffer;
  #facts: Facts;
  #isOver = false;
  #cancelDelivery: () => void = () => undefined;
  readonly #cancelDeadline: () => void;

  constructor(floor: Floor, wire: Leg, opened: Opened, early: Buffer) {
    const { start, block, header } = opened;
    const { peerQuota } = floor;
    const seat = peerQuota.seatOf(start.peer.node);
    // Whether lanes work must be seen even where a peer has all that it may have.
    const extra = header.mode === MODE.canary ? CANARY_LANES : 0;
    this.#hasRoom = peerQuota.takeOpening(seat) && !peerQuota.isFull(seat, extra);
    this.#floor = floor;
    this.#wire = wire;
    this.#opened = opened;
    this.#peerSeat = seat;
    this.#early = Buffer.from(early); // the shared buffer is read into again meanwhile
    floor.reactor.held.count(early.length);
    const destination = `${block.destination.address}:${block.destination.port}`;
    const client = `${block.client.address}:${block.client.port}`;
    this.#facts = { direction: 'in', peer: start.peer.node, client, destination };
    wire.owner = {
      data: () => undefined,
      end: () => this.#giveUp(),
      drained: () => undefined,
      closed: () => this.#giveUp(),
    };
    // The client waits one slot for its reply; after two it is gone, seen or not.
    this.#cancelDeadline = floor.clock.after(2 * start.chain.periodMs, () => this.#giveUp());
    floor.ring.confirm(start.peer, start.chain.id);
    floor.opening(1);
    peerQuota.count(seat, 1);
  }

  judge(): void {
    const { header, block, peer } = this.#opened;
    if (!this.#hasRoom) {
      this.#deny('busy', 'peer-limit', this.#floor.peerQuota.text);
      return;
    }
    if (header.mode === MODE.canary) {
      this.#answerCanary();
      return;
    }
    if (header.mode !== MODE.tunnel) {
      this.#deny('mode', 'mode', `mode ${header.mode}`);
      return;
    }
    const { token, endorsement } = block;
    const shown = { peer: peer.peer.node, token, endorsement, nodeKey: peer.statement.ed25519 };
    this.#floor.maids.judge(shown, (answer) => {
      if (!this.#isOver) this.#identify(answer);
    });
  }

  /** An attested node asks whether a lane to this one works: no workload, an echo, nothing else. */
  #answerCanary(): void {
    const floor = this.#floor;
    const { start, block } = this.#opened;
    if (!isCanaryBlock(block)) {
      this.#deny('mode', 'mode', 'a canary that speaks for somebody');
      return;
    }
    const standing: Standing = { podUids: [], peer: start.peer.node };
    let cancel = NO_TIMER;
    const side = answerSide(deferring(floor));
    const lane = this.#open(side, standing, undefined, () => cancel());
    if (!lane) return;
    floor.counters.add('canariesAnswered');
    cancel = floor.clock.after(CANARY_MS, () => lane.cut('shutdown'));
  }

  #identify(answer: MaidAnswer): void {
    if (answer.kind === 'busy') {
      this.#deny('busy', 'peer-limit', 'it shows more new MAIDs than are verified for one peer');
      return;
    }
    if (answer.kind === 'refused') {
      this.#deny('identity', answer.reason, 'a signature of its MAID is wrong');
      return;
    }
    const { token } = answer;
    const { chain, peer } = this.#opened.start;
    this.#facts = { ...this.#facts, from: token.spiffeId };
    if (token.node !== peer.node || token.sid !== peer.sid) {
      this.#deny('identity', 'bad-token', `the MAID is that of ${token.node}`);
      return;
    }
    const now = slotAt(this.#floor.slots.timeMs(), chain.periodMs);
    if (Math.abs(token.slot - now) > 1) {
      this.#deny('identity', 'stale-slot', `the MAID is of slot ${token.slot}, now is ${now}`);
      return;
    }
    this.#admit(token);
  }

  #admit(token: MaidToken): void {
    const { destination } = this.#opened.block;
    const admission = this.#floor.routes().inbound(token.spiffeId, destination);
    if (admission.kind === 'refused') {
      this.#deny(admission.denial, admission.reason, admission.detail);
      return;
    }
    const { to, rule } = admission;
    const { calledQuota } = this.#floor;
    const calledSeat = calledQuota.seatOf(to.uid);
    if (!calledQuota.takeLane(calledSeat)) {
      this.#deny('busy', 'pod-limit', calledQuota.text);
      return;
    }
    this.#calledSeat = calledSeat;
    this.#facts = { ...this.#facts, to: to.spiffeId, podUid: to.uid };
    const standing: Standing = {
      access: { from: token.spiffeId, to: to.spiffeId, port: destination.port },
      podUids: [to.uid],
      peer: this.#opened.start.peer.node,
    };
    const { reactor, pool } = this.#floor;
    const client = this.#floor
      .routes()
      .clientOf(token.node, token.podUid, this.#opened.block.client);
    const target = { podUid: to.uid, destination, client };
    this.#cancelDelivery = deliver(reactor, pool, target, {
      connected: (app) => this.#open(app, standing, rule),
      failed: (detail) => this.#deny('unreachable', 'pod-unreachable', detail),
    });
  }

  /** Accepts the lane; `rule` is undefined for a canary, which is told when it has ended. */
  #open(
    app: LaneSide,
    standing: Standing,
    rule: string | undefined,
    ended?: () => void,
  ): Lane | undefined {
    const floor = this.#floor;
    const objection = floor.routes().objection(standing); // a snapshot may have come meanwhile
    if (objection) {
      app.reset();
      this.#deny(
        objection.reason === 'policy' ? 'policy' : 'trust',
        objection.reason,
        objection.detail,
      );
      return undefined;
    }
    this.#conclude();
    const { start, secret, opener } = this.#opened;
    const confirmed = floor.ring.confirmation(start.own.sid);
    const reply = sealReply(this.#opened, { confirmed }, this.#salt());
    const passage = new Passage(floor, this.#facts, rule, start.chain);
    const lane: Lane = new Lane({
      app,
      wire: this.#wire,
      sender: new LaneSender(floor.ring, start, {
        secret: reply.s2c,
        sealer: reply.sealer,
        isEarly: false,
        updated: (chain) => passage.rekeyed(chain),
      }),
      standing,
      passage,
      clock: floor.clock,
      free: rule === undefined ? undefined : (wire, rest) => awaitNext(floor, wire, rest),
      done: (how, detail) => {
        ended?.();
        if (how === 'unanswered') leave(floor, lane);
        else closed(floor, lane, how, detail);
      },
    });
    this.#wire.writeSoon(floor.clock, reply.bytes); // with the first words of the pod
    passage.count('lanesOpenedIn');
    enter(floor, lane, undefined, standing.podUids[0]);
    lane.begin(new LaneReceiver(floor.ring, start, { secret, opener, afterEarly: reply.c2s }));
    wipe(start.pair); // the receiver has its own
    lane.hear(this.#early);
    if (!app.isFull) this.#wire.resume();
    return lane;
  }

  /** Tells an authenticated opener no, and closes. */
  #deny(denial: Denial, reason: Refusal, detail: string): void {
    if (this.#isOver) return;
    this.#conclude();
    refused(this.#floor, reason, this.#facts, detail);
    const reply = sealReply(this.#opened, { denied: denial }, this.#salt());
    reply.sealer.close();
    wipe(reply.c2s, reply.s2c);
    abandon(this.#opened);
    this.#wire.write(reply.bytes);
    this.#floor.strangers.dismiss(this.#wire);
    this.#wire.resume(); // early data that nobody gets
  }

  /** The opener is gone, or waits no longer. */
  #giveUp(): void {
    if (this.#isOver) return;
    this.#conclude();
    this.#cancelDelivery();
    abandon(this.#opened);
    this.#wire.destroy();
  }

  #conclude(): void {
    this.#isOver = true;
    this.#floor.reactor.held.count(-this.#early.length);
    this.#floor.opening(-1);
    this.#floor.peerQuota.count(this.#peerSeat, -1);
    this.#floor.calledQuota.count(this.#calledSeat, -1);
    this.#cancelDeadline();
  }

  #salt(): Buffer {
    return this.#floor.randomBytes(SALT_BYTES);
  }
}
