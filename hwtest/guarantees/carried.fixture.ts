// The data planes of node a and node b (proxy/twoNodes.fixture.ts), told what the control planes of two agents
// on a real bus know.
import { slotAt, type NodeName } from '#agent/base/brands.ts';
import type { Snapshot } from '#proxy/snapshot.ts';
import { TwoNodes, type TestNode } from '#proxy/twoNodes.fixture.ts';
import { BUS_PERIOD_MS, type AgentOnBus } from '#hwtest/virtual/agentOnBus.ts';
import { Truth } from './recording.fixture.ts';

/** Several changes within this time make one snapshot. */
const SETTLE_MS = 10;

export class Carried extends TwoNodes {
  readonly truth = new Truth();
  readonly agents = new Map<NodeName, AgentOnBus>();
  #telling: NodeJS.Timeout | undefined;

  constructor() {
    super({ periodMs: BUS_PERIOD_MS });
  }

  /** Whether each of the two may open lanes to the other. */
  get isReady(): boolean {
    return [[this.a, this.b] as const, [this.b, this.a] as const].every(([self, other]) =>
      this.snapshot(self, other).peers.every(({ send }) => !('refused' in send)),
    );
  }

  /** Tells both data planes soon, several changes at once, as agent/snapshots.ts does. */
  changed(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      this.tell();
    }, SETTLE_MS);
  }

  override close(): void {
    clearTimeout(this.#telling);
    super.close();
  }

  override snapshot(self: TestNode, other: TestNode): Snapshot {
    const base = super.snapshot(self, other);
    const agent = this.agents.get(self.name);
    if (!agent) return base;
    const { keeper, own, peers } = agent;
    const nowMs = agent.timeMs();
    const state = peers.peer(other.name);
    const sids = own.addressable.map((each) => each.own.statement.sid);
    const snapshot = {
      ...base,
      self: { ...base.self, sids },
      chains: keeper.live(),
      pods: base.pods.map((pod) => ({
        ...pod,
        tokens: sids.flatMap((sid) => {
          self.sid = sid;
          return self.pod(slotAt(nowMs, BUS_PERIOD_MS)).tokens;
        }),
      })),
      peers: base.peers.map((peer) => ({
        ...peer,
        statements: state.accepted.map(({ statement }) => ({
          sid: statement.sid,
          ed25519: other.sign.public.ed25519,
        })),
        pairs: peers.pairs(state, own.addressable),
        send: peers.choose(state, own.listed, keeper.inEffect(nowMs), nowMs),
      })),
    };
    this.truth.note(snapshot);
    return snapshot;
  }
}
