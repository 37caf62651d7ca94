// A process with some of the virtual agents of `npm run bench -- epochs`, each with a bus connection of its own and
// the epoch plane that the product has. Told by its parent what to do; says when each record and root took effect.
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeName } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import { openBus } from '#agent/epochs/bus.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { nodeToken } from '#agent/epochs/subjects.ts';
import { busLayoutFor, startAgent, SUBJECTS, type AgentOnBus } from '#hwtest/virtual/agentOnBus.ts';

/** What a parent asks; each is answered by one CrewAnswer. */
export type CrewRequest =
  | {
      readonly ask: 'start';
      readonly url: string;
      /** Number of its first agent, and of those after it. */
      readonly first: number;
      readonly count: number;
      /** Agents of all crews. */
      readonly of: number;
      readonly peers: number;
      readonly periodMs: number;
      readonly renewMs: number;
    }
  | { readonly ask: 'use' | 'state' | 'begin' | 'report' }
  /** Who conducts begins a generation without this node, which comes back by itself. */
  | { readonly ask: 'leave'; readonly node: NodeName };

export interface CrewAnswer {
  readonly admitted: number;
  /** Agents that have examined all peers that they use, and hear them. */
  readonly acquainted: number;
  readonly conducts: boolean;
  /** Since `begin`: user and system, milliseconds. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** When each agent took a record, and when it had the root of a generation: by record hash, milliseconds. */
  readonly taken: Readonly<Record<string, readonly number[]>>;
  readonly rooted: Readonly<Record<string, readonly number[]>>;
  /** The newest record of each agent: how many have it. */
  readonly newest: Readonly<Record<string, number>>;
  /** Agents that have no chain of their newest record, or are not admitted any more, in words. */
  readonly stray: readonly string[];
  /** When it began to publish each, as conductor. */
  readonly published: Readonly<Record<string, number>>;
}

/** Of all processes of this machine the same clock, milliseconds. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
/** So many agents start a second in each crew: each is examined and sealed to by one conductor. */
const STARTS_PER_SECOND = 40;
/** So many agents look for their peers at a time in each crew. */
const LOOKING_AT_ONCE = 16;
const LOOK_AGAIN_MS = 1_000;
/** As configured unless said otherwise. */
const MAX_STALENESS_MS = 1_800_000;

export const nameOf = (number: number): NodeName => `node-${number}` as NodeName;
const addressOf = (n: number): string => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

class Crew {
  readonly #agents: AgentOnBus[] = [];
  #start: (CrewRequest & { readonly ask: 'start' }) | undefined;
  #taken = new Map<string, number[]>();
  #rooted = new Map<string, number[]>();
  #published = new Map<string, number>();
  #cpu = process.cpuUsage();

  async do(request: CrewRequest): Promise<void> {
    switch (request.ask) {
      case 'start':
        this.#start = request;
        for (let n = request.first; n < request.first + request.count; n += 1) {
          this.#agents.push(this.#startAgent(n, request));
          await sleep(1000 / STARTS_PER_SECOND);
        }
        return;
      case 'use':
        void this.#use(); // `acquainted` says how far it has come
        return;
      case 'begin':
        this.#taken = new Map();
        this.#rooted = new Map();
        this.#published = new Map();
        this.#cpu = process.cpuUsage();
        return;
      case 'leave':
        for (const { conductor } of this.#agents)
          conductor.onRevoked(request.node, 'the bench wants a generation');
        return;
      case 'state':
      case 'report':
    }
  }

  #startAgent(n: number, { url, periodMs, renewMs }: CrewRequest & { ask: 'start' }): AgentOnBus {
    const node = nameOf(n);
    const bus = openBus({
      servers: [url],
      name: node,
      inboxPrefix: inboxOf(nodeToken(node)),
      ...busLayoutFor(MAX_STALENESS_MS),
      clock: systemClock,
      random: Math.random,
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    });
    const publish = bus.publish.bind(bus);
    bus.publish = (subject, value, id) => {
      if (subject === SUBJECTS.record && id !== undefined) this.#published.set(id, nowMs());
      return publish(subject, value, id);
    };
    const agent = startAgent(node, bus, systemClock, {
      lanePort: () => 15_008,
      drawn: nothing,
      changed: nothing,
      renewMs,
      periodMs,
      ttlMs: 2 * renewMs,
      maxStalenessMs: MAX_STALENESS_MS,
      knowAllUpTo: 0,
      addresses: [addressOf(n)],
    });
    this.#watch(agent);
    return agent;
  }

  /** Notes when the keeper of an agent takes a record or a root. */
  #watch({ keeper }: AgentOnBus): void {
    const [accept, giveRoot] = [keeper.accept.bind(keeper), keeper.giveRoot.bind(keeper)];
    keeper.accept = (record) => {
      const acceptance = accept(record);
      if (acceptance === 'applied') note(this.#taken, record.hash);
      return acceptance;
    };
    keeper.giveRoot = (hash, root) => {
      const fits = giveRoot(hash, root);
      if (fits) note(this.#rooted, hash);
      return fits;
    };
  }

  /** Every agent looks for the pods of those that come after it, as a data plane would ask it to. */
  async #use(): Promise<void> {
    const { first = 0, of = 1, peers = 0 } = this.#start ?? {};
    const agents = this.#agents.entries();
    const lookOn = async (): Promise<void> => {
      for (const [i, agent] of agents) {
        const wanted = Array.from({ length: peers }, (_, k) => (first + i + k + 1) % of);
        await Promise.all(wanted.map((n) => found(agent, addressOf(n))));
      }
    };
    await Promise.all(Array.from({ length: LOOKING_AT_ONCE }, lookOn));
  }

  answer(): CrewAnswer {
    const { user, system } = process.cpuUsage(this.#cpu);
    const { peers: wanted = 0 } = this.#start ?? {};
    const isAcquainted = ({ peers }: AgentOnBus): boolean =>
      peers.all().filter(({ accepted, presence }) => accepted.length > 0 && presence).length >=
      wanted;
    return {
      admitted: this.#agents.filter(({ plane }) => plane.admitted).length,
      acquainted: this.#agents.filter(isAcquainted).length,
      conducts: this.#agents.some(({ conductor }) => conductor.leading),
      cpuMs: (user + system) / 1000,
      rssBytes: process.memoryUsage.rss(),
      taken: Object.fromEntries(this.#taken),
      rooted: Object.fromEntries(this.#rooted),
      published: Object.fromEntries(this.#published),
      newest: this.#newest(),
      stray: this.#agents.flatMap(strayOf),
    };
  }

  #newest(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { follower } of this.#agents) {
      const name = String(follower.newest?.epoch ?? 'none');
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }
}

const nothing = (): void => undefined;

/** As a program that connects again: whose pod it is may not have been said yet. */
async function found({ plane }: Pick<AgentOnBus, 'plane'>, address: string): Promise<void> {
  while (!(await plane.whereIs(address))) await sleep(LOOK_AGAIN_MS);
}

/** What is wrong with an agent, if anything is. */
function strayOf({ node, plane, follower, keeper }: AgentOnBus): string[] {
  const { newest } = follower;
  const wrong = [
    ...(plane.admitted ? [] : ['not admitted']),
    ...(newest && keeper.get(newest.chainId) ? [] : ['no chain of its newest record']),
    ...(follower.rosterCurrent ? [] : ['no roster of it']),
  ];
  const { accepted, refused } = follower;
  const counts = `${accepted} records taken, ${refused} refused`;
  return wrong.length === 0 ? [] : [`${node}: ${wrong.join(', ')}; ${counts}`];
}

function note(times: Map<string, number[]>, hash: string): void {
  const all = times.get(hash) ?? [];
  all.push(nowMs());
  times.set(hash, all);
}

if (process.send) {
  const crew = new Crew();
  process.on('message', (request: CrewRequest) => {
    void crew.do(request).then(() => process.send?.(crew.answer()));
  });
  process.once('disconnect', () => process.exit());
}
