// For tests: two nodes in one process over loopback sockets, each a real LaneWorker with real keys,
// tokens, replay set and policy. Only the redirect is stood in for: a test names the destination.
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import {
  generateSigningKey,
  generateWorkloadKey,
  type SigningKey,
} from '#agent/base/asymmetric.ts';
import { slotAt, type NodeName, type Sid, type Slot, type SpiffeId } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { hex } from '#agent/base/bytes.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { chainKey, testChain, type TestChain } from './chain.fixture.ts';
import { encodeFrame } from './channel.ts';
import type { CanaryAnswer, FromWorker, LanePage } from './control.ts';
import { Counters, type CounterName } from './counters.ts';
import { descriptorRoom, type DescriptorRoom } from './descriptors.ts';
import { VerificationDesk } from './desk.ts';
import type { LaneEvent } from './facts.ts';
import type { HeldBytes } from './heldBytes.ts';
import { LaneWorker } from './laneWorker.ts';
import { quotaMemory } from './quota.ts';
import { signEndorsement, signToken } from './maid.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import { setSpeaking } from '#proxy/native/transparent.ts';
import { listening } from './ports.fixture.ts';
import { Reactor } from './reactor.ts';
import { ReplaySet } from './replay.ts';
import { SkippingClock } from './skippingClock.fixture.ts';
import type { CompiledPolicy } from './policy.ts';
import type { LaneLimits, LocalPod, Peer, RemotePod, Snapshot } from './snapshot.ts';

const DOMAIN = 'example.org';
const CLUSTER = 'test';
const none = Buffer.alloc(32);

/** Allows everything in the domain. */
export const ALLOW_ALL: CompiledPolicy = {
  version: 1,
  defaultAction: 'DENY',
  rules: [{ name: 'test/all', from: `spiffe://${DOMAIN}/`, to: `spiffe://${DOMAIN}/`, ports: [] }],
};

/** One node: its worker, what it told, and the pod that lives on it. */
export class TestNode {
  readonly name: NodeName;
  readonly podIp: string;
  readonly spiffeId: SpiffeId;
  readonly podUid: string;
  readonly sign: SigningKey = generateSigningKey();
  sid: Sid = hex(randomBytes(16)) as Sid;
  readonly events: LaneEvent[] = [];
  readonly answers: (LanePage | CanaryAnswer)[] = [];
  readonly acks: number[] = [];
  /** What the worker asked for whose it is, and with whom it said to have connections. */
  readonly asked: { readonly id: number; readonly address: string }[] = [];
  readonly using: (readonly NodeName[])[] = [];
  /** Signature verifications that the worker asked for. */
  verifications = 0;
  /** Where the next redirected connection was going. */
  destination: Endpoint | undefined;
  lanePort = 0;
  outPort = 0;
  drained = 0;
  /** Sockets that the worker asked for and gets when the test says so; undefined: it gets them at once. */
  withheld: (() => void)[] | undefined;
  /** What the worker draws from. */
  randomBytes: (length: number) => Buffer = randomBytes;
  worker: LaneWorker;
  readonly #start: () => LaneWorker;
  readonly #reactor: Reactor;
  readonly #counters = Counters.create();
  readonly #workload = generateWorkloadKey();
  readonly #desk = new VerificationDesk();

  constructor(
    index: number,
    clock: Clock,
    podIp = `127.0.${index}.1`,
    descriptors = descriptorRoom(20_000, 1),
    held?: HeldBytes,
  ) {
    this.#reactor = new Reactor(undefined, held);
    this.name = `node-${index}` as NodeName;
    this.podIp = podIp;
    this.podUid = `pod-${index}`;
    this.spiffeId = `spiffe://${DOMAIN}/${CLUSTER}/ns/pod-${index}` as SpiffeId;
    const replay = ReplaySet.create({
      periodMs: 10_000,
      openingsPerPeriod: 4096,
      quotaPerSource: 4096,
      sources: 16,
    });
    this.#reactor.pump();
    this.#start = () =>
      new LaneWorker({
        index: 0,
        clock,
        reactor: this.#reactor,
        replay,
        quotas: { pods: quotaMemory(1), podsCalled: quotaMemory(1), peers: quotaMemory(1) },
        descriptors,
        counters: this.#counters.row(0),
        randomBytes: (length) => this.randomBytes(length),
        originalDestination: () => this.destination,
        holdEventsMs: 0,
        post: (message) => this.#hear(message),
      });
    this.worker = this.#start();
  }

  /** Another worker in place of this one, which has nothing of it but the replay set; to be told all anew. */
  async restart(): Promise<void> {
    this.worker.close();
    this.worker = this.#start();
    await this.listen();
  }

  /** Listens for lanes and for the pod's own connections. */
  async listen(): Promise<void> {
    const [lane, lanePort] = await listening();
    this.lanePort = lanePort;
    this.worker.handle({ type: 'listen', fd: lane, role: { kind: 'lane' } });
    const [out, outPort] = await listening();
    this.outPort = outPort;
    const role = { kind: 'pod', podUid: this.podUid, family: 4 } as const;
    this.worker.handle({ type: 'listen', fd: out, role });
  }

  /** A connection of the pod to `destination`, as the application sees it. */
  async connect(destination: Endpoint): Promise<Socket> {
    this.destination = destination;
    const socket = connect({ port: this.outPort, host: '127.0.0.1', allowHalfOpen: true });
    await new Promise((resolve) => {
      socket.once('connect', resolve);
      socket.on('error', resolve); // a refusal may come as early as that
    });
    return socket;
  }

  count(name: CounterName): number {
    return this.#counters.totals()[name];
  }

  /** The pod as a snapshot has it, with tokens for the slots around `slot`. */
  pod(slot: Slot): LocalPod {
    return {
      uid: this.podUid,
      namespace: 'ns',
      name: this.podUid,
      serviceAccount: 'default',
      spiffeId: this.spiffeId,
      ips: [this.podIp],
      tokens: [slot - 1, slot, slot + 1, slot + 2].map((at) => this.#token(at as Slot)),
    };
  }

  /** Does now what its next turn would. */
  turn(): void {
    this.#reactor.turn(0);
  }

  close(): void {
    this.worker.close();
    this.#reactor.stop();
  }

  #token(slot: Slot): LocalPod['tokens'][number] {
    const { sid, spiffeId, podUid } = this;
    const endorsement = signEndorsement(
      { workloadKey: this.#workload.public, sid, spiffeId, podUid },
      (message) => this.sign.ed25519(message, 'tokens'),
    );
    const token = signToken(
      {
        slot,
        alias: none.subarray(0, 16),
        sid,
        node: this.name,
        spiffeId,
        podUid,
        imageDigest: '',
        evidenceDigest: none,
        prev: none,
        history: none,
      },
      (message) => this.#workload.sign(message),
    );
    return { slot, sid, token, endorsement };
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case 'ack':
        this.acks.push(message.version);
        return;
      case 'events':
        this.events.push(...message.events);
        return;
      case 'lanes':
      case 'canary':
        this.answers.push(message);
        return;
      case 'whereIs':
        this.asked.push(message);
        return;
      case 'using':
        this.using.push(message.peers);
        return;
      case 'drained':
        this.drained += 1;
        return;
      case 'verify': {
        this.verifications += 1;
        const valid = this.#desk.verify(message.key, message.message, message.signature);
        queueMicrotask(() => this.worker.handle({ type: 'verified', id: message.id, valid }));
        return;
      }
      case 'poolLow': {
        const fds = Array.from({ length: message.want }, () => tcpSocket(message.family));
        for (const fd of fds) setSpeaking(fd);
        const { podUid, family } = message;
        const give = () => this.worker.handle({ type: 'sockets', podUid, family, fds });
        if (this.withheld) this.withheld.push(give);
        else queueMicrotask(give);
        return;
      }
      case 'ready':
    }
  }
}

/** What a test may change of what both nodes are told. */
export interface WorldView {
  readonly chains: readonly TestChain[];
  readonly policy: CompiledPolicy;
  readonly trusted: boolean;
  /** Whether the nodes know each other as attested peers. */
  readonly peers: boolean;
  readonly limits?: LaneLimits;
  /** What leads elsewhere than to pods of the two, and what is said of these otherwise than it is. */
  readonly outside?: Partial<Snapshot>;
}

export class TwoNodes {
  readonly a: TestNode;
  readonly b: TestNode;
  readonly clock: SkippingClock;
  /** Where node a finds node b's lane port, if not there: somebody on the path. */
  detour: number | undefined;
  #pair = randomBytes(32);
  #pairOf = '';
  #version = 0;
  view: WorldView;
  readonly #servers: Server[] = [];

  constructor(
    options: {
      readonly periodMs?: number;
      readonly algorithm?: number;
      readonly podIps?: readonly [a: string, b: string];
      /** Time stands still, and no timer fires, unless the test skips time. */
      readonly onlySkips?: boolean;
      /** Node b gets no socket into its pod until the test gives them. */
      readonly withholdsSockets?: boolean;
      /** Of node b. */
      readonly descriptors?: DescriptorRoom;
      /** Of both. */
      readonly held?: HeldBytes;
    } = {},
  ) {
    this.clock = new SkippingClock(options.onlySkips);
    const { podIps, descriptors, held } = options;
    this.a = new TestNode(1, this.clock, podIps?.[0], undefined, held);
    this.b = new TestNode(2, this.clock, podIps?.[1], descriptors, held);
    const chain = testChain(options.periodMs ?? 10_000, options.algorithm);
    if (options.withholdsSockets) this.b.withheld = [];
    this.view = { chains: [chain], policy: ALLOW_ALL, trusted: true, peers: true };
  }

  async start(): Promise<void> {
    await this.a.listen();
    await this.b.listen();
    this.tell();
  }

  /** Gives both workers a snapshot of the present view; with `only`, that node's worker alone. */
  tell(change: Partial<WorldView> = {}, only?: TestNode): void {
    this.view = { ...this.view, ...change };
    this.#version += 1;
    for (const [own, other] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      if (only && own !== only) continue;
      const snapshot = this.snapshot(own, other);
      own.worker.handle({ type: 'snapshot', frame: encodeFrame({ type: 'snapshot', snapshot }) });
    }
  }

  snapshot(own: TestNode, other: TestNode): Snapshot {
    const { chains, policy, trusted, peers, limits, outside } = this.view;
    const [newest] = chains;
    if (!newest) throw new Error('a world needs a chain');
    const timeMs = this.clock.wallMs();
    return {
      version: this.#version,
      self: {
        domain: DOMAIN,
        cluster: CLUSTER,
        node: own.name,
        sids: [own.sid],
        trusted,
        reason: '',
      },
      chains: chains.map((chain, rank) => {
        const slot = Math.max(chain.slot, slotAt(timeMs, chain.periodMs) - 1) as Slot;
        return {
          ...chain,
          epoch: chains.length - rank,
          atSlot: chain.slot,
          slot,
          key: chainKey(chain, slot),
        };
      }),
      peers: peers ? [this.#peer(own, other, newest)] : [],
      pods: [own.pod(slotAt(timeMs, newest.periodMs))],
      remotes: [remoteOf(other)],
      policy,
      unmeshed: 'refuse',
      ...(limits && { limits }),
      ...outside,
    };
  }

  /** Moves both nodes on by whole slots of the newest chain, with a snapshot at each. */
  skipSlots(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.clock.skip(this.view.chains[0]?.periodMs ?? 0);
      this.tell();
    }
  }

  /** A server in a node's pod; it ends with the world. */
  async serve(onConnection: (socket: Socket) => void, node = this.b): Promise<Endpoint> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    server.listen(0, node.podIp);
    await once(server, 'listening');
    this.#servers.push(server);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return { address: node.podIp, port: address.port };
  }

  close(): void {
    this.a.close();
    this.b.close();
    for (const server of this.#servers) server.close();
  }

  #peer(own: TestNode, other: TestNode, newest: TestChain): Peer {
    const pairOf = [own.sid, other.sid].sort().join();
    if (this.#pairOf !== pairOf) {
      this.#pairOf = pairOf;
      this.#pair = randomBytes(32);
    }
    return {
      node: other.name,
      address: '127.0.0.1',
      port: own === this.a && this.detour !== undefined ? this.detour : other.lanePort,
      statements: [{ sid: other.sid, ed25519: other.sign.public.ed25519 }],
      pairs: [{ ownSid: own.sid, peerSid: other.sid, secret: this.#pair }],
      send: { chainId: newest.id, ownSid: own.sid, peerSid: other.sid },
    };
  }
}

const remoteOf = ({ podUid, name, spiffeId, podIp }: TestNode): RemotePod => ({
  uid: podUid,
  node: name,
  spiffeId,
  ips: [podIp],
});
