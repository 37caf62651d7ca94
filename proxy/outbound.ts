// A connection of an own pod, from accept on its in-pod listener to an open lane, a relay within the
// node, or a refusal. What the application has written by then goes along in the first flight.
import { Buffer } from 'node:buffer';
import { canonicalAddress, type Endpoint } from '#proxy/see/address.ts';
import { SALT_BYTES } from '#proxy/see/opening.ts';
import { closed, enter, leave, refused } from './carry.ts';
import type { Family } from './control.ts';
import type { Refusal } from './counters.ts';
import { deliver } from './delivery.ts';
import { dial } from './dial.ts';
import type { Facts } from './facts.ts';
import type { Floor } from './floor.ts';
import { MAX_WAITING_BYTES } from './heldBytes.ts';
import { Lane } from './lane.ts';
import { LaneSender } from './laneKeys.ts';
import { sealOpening, type Opening } from './laneOpening.ts';
import { Leg } from './leg.ts';
import { resetOnClose, type Accepted } from '#proxy/native/stream.ts';
import { Passage } from './passage.ts';
import { Relay } from './relay.ts';
import { ReplyReader } from './replyReader.ts';
import { tokenFor, type Route, type Standing } from './routes.ts';
import { NO_SEAT } from './seats.ts';
import { Waiting } from './waiting.ts';
import { ANSWER_WITHIN_MS, notLearned, type Finding } from './whereabouts.ts';

/** Bytes of an application that are held while its lane is being connected, or fewer (heldBytes.ts). */
const MAX_EARLY_BYTES = 256 << 10;

const placeOf = ({ address, port }: Endpoint): string => `${address}:${port}`;

type Remote = Extract<Route, { kind: 'remote' }>;

/** Takes over a connection that pod `podUid` made and nftables redirected. */
export function acceptPod(floor: Floor, podUid: string, family: Family, accepted: Accepted): void {
  const named = floor.originalDestination(accepted.fd, family);
  const address = named && canonicalAddress(named.address);
  const client = placeOf(accepted.from);
  if (!named || !address) {
    floor.reactor.close(accepted.fd); // the pod connected to the listener itself
    const facts: Facts = { direction: 'out', podUid, client };
    refused(floor, 'not-redirected', facts, 'a connection to the listener');
    return;
  }
  const asked = { address, port: named.port };
  const facts: Facts = { direction: 'out', podUid, client, destination: placeOf(asked) };
  const { podQuota } = floor;
  const seat = podQuota.seatOf(podUid);
  if (!podQuota.takeOpening(seat) || podQuota.isFull(seat)) {
    turnAway(floor, accepted, 'pod-limit', facts, podQuota.text);
    return;
  }
  const route = floor.routes().outbound(podUid, asked, floor.whereabouts.isNobodys);
  new Caller(floor, facts, { podUid, seat, asked }, accepted).go(route);
}

/** Resets a connection that was accepted and is not taken on. */
export function turnAway(
  floor: Floor,
  { fd }: Accepted,
  reason: Refusal,
  facts: Facts,
  detail: string,
): void {
  resetOnClose(fd);
  floor.reactor.close(fd);
  refused(floor, reason, facts, detail);
}

/** Which pod called, by its uid and its seat in the quotas, and what. */
interface Called {
  readonly podUid: string;
  readonly seat: number;
  readonly asked: Endpoint;
}

/** A connected application whose destination is being reached. */
class Caller {
  readonly #floor: Floor;
  readonly #podUid: string;
  readonly #seat: number;
  /** Of whom it is for: a pod of this node, or a peer. */
  #calledSeat = NO_SEAT;
  #peerSeat = NO_SEAT;
  /** What the application asked for, and where it goes: another where that is a service. */
  readonly #asked: Endpoint;
  #destination: Endpoint;
  /** The application's own address. */
  readonly #from: Endpoint;
  readonly #app: Leg;
  #facts: Facts;
  /** What the application wrote so far. */
  readonly #early: Waiting;
  #hasEnded = false;
  #isOver = false;
  /** Monotonic: nothing more is asked for from then on. */
  #learnsUntilMs: number | undefined;
  #abort: () => void = () => undefined;

  constructor(floor: Floor, facts: Facts, { podUid, seat, asked }: Called, accepted: Accepted) {
    this.#floor = floor;
    this.#podUid = podUid;
    this.#seat = seat;
    this.#asked = asked;
    this.#destination = asked;
    this.#facts = facts;
    this.#from = accepted.from;
    this.#early = new Waiting(floor.reactor.held);
    floor.opening(1);
    floor.podQuota.count(seat, 1);
    this.#app = Leg.accepted(floor.reactor, accepted.fd, {
      data: (bytes) => this.#hold(bytes),
      end: () => {
        this.#hasEnded = true;
      },
      drained: () => undefined,
      closed: () => this.#giveUp(),
    });
    this.#app.resetIfKilled();
  }

  /** Takes this way, or refuses. */
  go(route: Route): void {
    if (route.kind === 'refused') {
      this.#refuse(route.reason, route.detail, route);
      return;
    }
    const { destination } = route;
    this.#destination = destination;
    if (destination !== this.#asked) {
      this.#facts = { ...this.#facts, endpoint: placeOf(destination) };
    }
    switch (route.kind) {
      case 'local':
        this.#local(route);
        return;
      case 'plain':
        this.#plain(route);
        return;
      case 'unknown':
        this.#inquire(route);
        return;
      case 'remote':
        this.#remote(route);
    }
  }

  #refuse(reason: Refusal, detail: string, known: Pick<Facts, 'from' | 'to'> = {}): void {
    if (this.#isOver) return;
    this.#conclude();
    const { from, to } = known;
    refused(
      this.#floor,
      reason,
      { ...this.#facts, ...(from && { from }), ...(to && { to }) },
      detail,
    );
    this.#early.clear();
    this.#app.reset();
  }

  /** An address that may be of a node which is not followed yet: waits for the answer, and goes on from there. */
  #inquire({ from, destination }: Extract<Route, { kind: 'unknown' }>): void {
    this.#facts = { ...this.#facts, from: from.spiffeId };
    const { whereabouts, clock } = this.#floor;
    this.#learnsUntilMs ??= clock.monoMs() + ANSWER_WITHIN_MS;
    this.#early.outlast();
    const asked = whereabouts.ask(this.#podUid, destination.address, (finding) =>
      this.#learned(destination, finding),
    );
    if (typeof asked === 'function') this.#abort = asked;
    else this.#learned(destination, asked);
  }

  /** Of a service that leads to nobody's address the other endpoints have their turn. */
  #learned(destination: Endpoint, finding: Finding): void {
    const { routes, whereabouts, clock } = this.#floor;
    const { isNobodys } = whereabouts;
    const isFound = 'isKnown' in finding && finding.isKnown;
    const route = isFound
      ? routes().toward(this.#podUid, destination, isNobodys)
      : routes().outbound(this.#podUid, this.#asked, isNobodys);
    const isLast = isFound || 'failed' in finding || clock.monoMs() >= (this.#learnsUntilMs ?? 0);
    if (route.kind !== 'unknown' || !isLast) this.go(route);
    else if ('failed' in finding) this.#refuse('no-agent', finding.failed);
    else this.#refuse('no-agent', notLearned(route.destination.address));
  }

  /** A pod of this node: no lane, the same identity and policy. */
  #local({ from, to, rule }: Extract<Route, { kind: 'local' }>): void {
    this.#facts = { ...this.#facts, direction: 'local', from: from.spiffeId, to: to.spiffeId };
    const standing: Standing = {
      access: { from: from.spiffeId, to: to.spiffeId, port: this.#destination.port },
      podUids: [from.uid, to.uid],
    };
    const { calledQuota, reactor, pool, routes } = this.#floor;
    const seat = calledQuota.seatOf(to.uid);
    if (!calledQuota.takeLane(seat)) {
      this.#refuse('pod-limit', calledQuota.text);
      return;
    }
    this.#calledSeat = seat;
    const client = routes().clientHere(from.uid, this.#client());
    const target = { podUid: to.uid, destination: this.#destination, client };
    this.#early.outlast();
    this.#abort = deliver(reactor, pool, target, {
      connected: (far) => {
        this.#floor.counters.add('lanesSameNode');
        this.#join(far, standing, rule);
      },
      failed: (detail) => this.#refuse('pod-unreachable', detail),
    });
  }

  /** A destination without an agent, where the configuration lets it pass. */
  #plain({ from, rule }: Extract<Route, { kind: 'plain' }>): void {
    this.#facts = { ...this.#facts, from: from.spiffeId };
    const standing: Standing = { podUids: [from.uid], plain: this.#destination };
    this.#dial(this.#destination, (far) => {
      this.#floor.counters.add('plainOut');
      this.#join(far, standing, rule);
    });
  }

  /** A pod of another node: a lane to its agent. */
  #remote(route: Remote): void {
    const { from, to, peer } = route;
    this.#facts = { ...this.#facts, from: from.spiffeId, to: to.spiffeId, peer: peer.node };
    const sending = this.#floor.ring.sending(peer.node);
    if ('refused' in sending) {
      this.#refuse('no-chain', sending.refused);
      return;
    }
    if (!canonicalAddress(peer.address)) {
      this.#refuse('peer-unreachable', `${peer.address} is not an address`); // nor to be looked up
      return;
    }
    const { peerQuota } = this.#floor;
    const seat = peerQuota.seatOf(peer.node);
    if (!peerQuota.takeLane(seat)) {
      this.#refuse('peer-limit', peerQuota.text);
      return;
    }
    this.#peerSeat = seat;
    const kept = this.#floor.wires.take(placeOf(peer));
    if (kept) {
      this.#app.readNow(); // what it has said already goes along in the first segment
      this.#openLane(route, kept);
      return;
    }
    this.#dial(peer, (wire) => this.#openLane(route, wire));
  }

  /** Failure refuses the application. */
  #dial(endpoint: Endpoint, connected: (far: Leg) => void): void {
    const { reactor, clock } = this.#floor;
    this.#early.outlast();
    this.#abort = dial(reactor, clock, endpoint, {
      connected,
      failed: (detail) => this.#refuse('peer-unreachable', detail),
    });
  }

  #openLane({ from, to, peer, rule }: Remote, wire: Leg): void {
    const floor = this.#floor;
    const standing: Standing = {
      access: { from: from.spiffeId, to: to.spiffeId, port: this.#destination.port },
      podUids: [from.uid],
      peer: peer.node,
    };
    const opening = this.#seal(from.uid, peer.node, standing);
    if (!opening) {
      wire.destroy();
      return;
    }
    this.#conclude();
    const facts = this.#facts;
    const passage = new Passage(floor, facts, rule, opening.start.chain);
    const reader = new ReplyReader(floor, opening, {
      accepted: () => passage.count('lanesOpenedOut'),
      refused: (reason, detail) => refused(floor, reason, facts, detail),
    });
    const lane: Lane = new Lane({
      app: this.#app,
      wire,
      sender: new LaneSender(floor.ring, opening.start, {
        secret: opening.secret,
        sealer: opening.sealer,
        isEarly: true,
        updated: (chain) => passage.rekeyed(chain),
      }),
      standing,
      passage,
      clock: floor.clock,
      free: (freed, rest) => {
        if (rest.length > 0) freed.destroy(); // the peer speaks out of turn
        else floor.wires.keep(placeOf(peer), freed);
      },
      reply: (bytes) => reader.take(lane, bytes),
      done: (how, detail) => {
        if (how !== 'unanswered' && reader.isAccepted) {
          closed(floor, lane, how, detail);
          return;
        }
        leave(floor, lane);
        reader.close(how);
      },
    });
    enter(floor, lane, from.uid);
    reader.start(lane);
    wire.write(opening.bytes); // with the early data, in one segment where they fit
    this.#release((bytes) => lane.send(bytes));
    if (!wire.isFull) this.#app.resume();
  }

  /** The opening under the keys of this moment, or a refusal. */
  #seal(podUid: string, node: Remote['peer']['node'], standing: Standing): Opening | undefined {
    const { ring, routes, slots, randomBytes } = this.#floor;
    const objection = routes().objection(standing); // a snapshot may have come meanwhile
    if (objection) {
      this.#refuse(objection.reason, objection.detail);
      return undefined;
    }
    const sending = ring.sending(node);
    if ('refused' in sending) {
      this.#refuse('no-chain', sending.refused);
      return undefined;
    }
    const pod = routes().pod(podUid);
    const token = pod && tokenFor(pod, sending.own.sid, sending.slot);
    if (!token) {
      this.#refuse('no-token', `no MAID for slot ${sending.slot} under ${sending.own.sid}`);
      return undefined;
    }
    const block = {
      token: token.token,
      endorsement: token.endorsement,
      destination: this.#destination,
      client: this.#client(),
      sentMs: Math.floor(slots.timeMs()),
      lineage: Buffer.alloc(0),
    };
    return sealOpening(sending, block, randomBytes(SALT_BYTES));
  }

  /** The application's address as an open block has it. */
  #client(): Endpoint {
    const { address, port } = this.#from;
    return { address: canonicalAddress(address) ?? '0.0.0.0', port };
  }

  #join(far: Leg, standing: Standing, rule: string): void {
    const objection = this.#floor.routes().objection(standing);
    if (objection) {
      this.#refuse(objection.reason, objection.detail);
      far.reset();
      return;
    }
    this.#conclude();
    const floor = this.#floor;
    const passage = new Passage(floor, this.#facts, rule);
    const relay: Relay = new Relay(this.#app, far, standing, passage, (how) =>
      closed(floor, relay, how, ''),
    );
    const [caller, called] = standing.podUids;
    enter(floor, relay, caller, called);
    this.#release((bytes) => this.#app.owner.data(bytes));
    if (!far.isFull) this.#app.resume();
  }

  /** Hands on what the application has said so far, to an owner that has taken the leg over. */
  #release(send: (bytes: Buffer) => void): void {
    this.#early.drain(send);
    if (this.#hasEnded) this.#app.owner.end();
  }

  #hold(bytes: Buffer): void {
    this.#early.push(bytes);
    const most = MAX_WAITING_BYTES[this.#floor.reactor.held.pressure];
    if (this.#early.bytes > Math.min(MAX_EARLY_BYTES, most)) this.#app.pause();
  }

  /** The application went away before its destination was reached. */
  #giveUp(): void {
    if (this.#isOver) return;
    this.#conclude();
    this.#early.clear();
    this.#abort();
  }
  #conclude(): void {
    this.#isOver = true;
    this.#floor.opening(-1);
    this.#floor.podQuota.count(this.#seat, -1);
    this.#floor.calledQuota.count(this.#calledSeat, -1);
    this.#floor.peerQuota.count(this.#peerSeat, -1);
  }
}
