// Three whole epoch planes on a real nats-server, elected over a Lease at the stand-in API server: one conducts; another
// takes over from one that stops or dies; while the API server is away nobody does and lanes go on all the same.
//
//   node-1  node-2  node-3 ----- records, presence, secrets ----- nats-server
//      \       |       /
//       `-- the Lease ---------- stand-in API server (away, and back)
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { slotPlus, type NodeName, type Slot } from '#agent/base/brands.ts';
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { systemClock } from '#agent/base/clock.ts';
import type { LeaseStore } from '#agent/epochs/lease.ts';
import { keptLog } from '#agent/epochs/records.fixture.ts';
import { kubernetesLease } from '#agent/kube/leaseStore.ts';
import { StandInApiServer } from '#hwtest/apiserver/standIn.ts';
import {
  BUS_LEASE_MS,
  BUS_PERIOD_MS,
  startAgentOnBus,
  type AgentOnBus,
} from '#hwtest/virtual/agentOnBus.ts';
import { startNats, type NatsServer } from '#hwtest/guarantees/natsServer.fixture.ts';
import { endpoint, kidOf, tick } from '#proxy/chips/chain.ts';
import { candidateAt, leaseNameIn, NAMESPACE, rulesFor, type Candidate } from './places.fixture.ts';

const NODES = ['node-1', 'node-2', 'node-3'] as NodeName[];
const CLUSTER = 'test';
const WAIT = { timeout: 90_000, interval: 100 };
const AWAY_MS = 20_000;
/** Beyond every outage here: who comes after one takes no expired member over, be it of the bus or of this. */
const TTL_MS = 300_000;

interface Member {
  readonly agent: AgentOnBus;
  readonly store: LeaseStore;
}

let nats: NatsServer;
let server: StandInApiServer;
const candidates: Candidate[] = [];
const members = new Map<NodeName, Member>();

function start(node: NodeName): Member {
  const candidate = candidateAt(server, rulesFor(CLUSTER));
  candidates.push(candidate);
  const store = kubernetesLease({
    namespace: NAMESPACE,
    name: leaseNameIn(CLUSTER),
    access: { kubeconfig: candidate.kubeconfig },
    ttlMs: BUS_LEASE_MS,
    clock: systemClock,
    random: Math.random,
    log: keptLog().log,
  });
  const agent = startAgentOnBus(node, [nats.url], {
    lanePort: () => 15_008,
    drawn: () => undefined,
    changed: () => undefined,
    ttlMs: TTL_MS,
    leaseStore: store,
  });
  const member = { agent, store };
  members.set(node, member);
  return member;
}

async function stop(node: NodeName): Promise<void> {
  const member = members.get(node);
  members.delete(node);
  await member?.agent.close();
  await member?.store.close();
}

beforeAll(async () => {
  nats = await startNats();
  server = await StandInApiServer.start();
});
afterEach(() => server.back().catch(() => undefined)); // where a test left it away
afterAll(async () => {
  for (const node of NODES) await stop(node);
  for (const candidate of candidates) candidate.close();
  await nats[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const agents = (): AgentOnBus[] => [...members.values()].map(({ agent }) => agent);
const leaders = (): NodeName[] =>
  agents().flatMap(({ node, conductor }) => (conductor.leading ? [node] : []));
const newest = (): string[] => agents().map(({ keeper }) => keeper.chains()[0]?.id ?? 'none');

/** What keeps a lane from being opened between any two, or has its two ends at different kids. */
function faultsOfLanes(): string[] {
  return agents().flatMap((sender) =>
    agents()
      .filter((each) => each !== sender)
      .flatMap((receiver) => {
        const between = `${sender.node} to ${receiver.node}`;
        const { peers, own, keeper } = sender;
        const nowMs = sender.timeMs();
        const peer = peers.get(receiver.node);
        if (!peer) return [`${between}: not known`];
        const choice = peers.choose(peer, own.listed, keeper.sendable(nowMs), nowMs);
        if ('refused' in choice) return [`${between}: ${choice.refused}`];
        const kids = [sender, receiver].map((end) => {
          const chain = end.keeper.get(choice.chainId);
          if (!chain) return 'no chain';
          let [key, slot]: [Bytes, Slot] = [chain.key, chain.slot];
          for (; slot < nowMs / chain.periodMs; slot = slotPlus(slot, 1)) key = tick(key, slot);
          return hex(kidOf(key, endpoint(receiver.node, choice.peerSid)));
        });
        return kids[0] === kids[1] && kids[0] !== 'no chain'
          ? []
          : [`${between}: ${kids.join(' and ')}`];
      }),
  );
}

const inStep = (): Promise<void> =>
  vi.waitFor(() => {
    expect(leaders()).toHaveLength(1);
    expect(faultsOfLanes()).toEqual([]);
    expect(new Set(newest()).size).toBe(1);
  }, WAIT);

/** Looks at lanes and conductors ten times a slot while `act` is under way. */
async function watched(act: () => Promise<void>) {
  const seen = { looks: 0, faults: new Set<string>(), leaders: 0, newest: new Set<string>() };
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      seen.looks += 1;
      for (const fault of faultsOfLanes()) seen.faults.add(fault);
      seen.leaders = Math.max(seen.leaders, leaders().length);
      for (const id of newest()) seen.newest.add(id);
      await pause(BUS_PERIOD_MS / 10);
    }
  })();
  try {
    await act();
  } finally {
    done.abort();
    await watching;
  }
  expect(seen.looks).toBeGreaterThan(5);
  return seen;
}

/** A record by one of those that are left, under a term beyond `term`. */
const recordBeyond = async (term: number): Promise<number> => {
  const startedMs = performance.now();
  await vi.waitFor(() => {
    for (const { follower } of agents()) expect(follower.newest?.term).toBeGreaterThan(term);
  }, WAIT);
  return performance.now() - startedMs;
};

const termNow = (): number =>
  Math.max(...agents().map(({ follower }) => follower.newest?.term ?? 0));

test('one of three conducts, and lanes are in step', async () => {
  for (const node of NODES) start(node);
  await inStep();
  const seen = await watched(() => pause(4 * BUS_PERIOD_MS));
  expect([...seen.faults]).toEqual([]);
  expect(seen.leaders).toBe(1);
  const lease = server.leases.get(NAMESPACE, leaseNameIn(CLUSTER)).body;
  expect(lease).toMatchObject({ spec: { holderIdentity: leaders()[0], leaseTransitions: 0 } });
});

test('it stops: another takes over in the next slot, under a higher term', async () => {
  const [leader] = leaders();
  const term = termNow();
  const seen = await watched(async () => {
    await stop(leader as NodeName);
    const tookMs = await recordBeyond(term);
    expect(tookMs).toBeLessThan(2 * BUS_PERIOD_MS);
    await pause(2 * BUS_PERIOD_MS);
  });
  expect(seen.leaders).toBe(1);
  expect([...seen.faults].filter((fault) => !fault.includes(leader as NodeName))).toEqual([]);
  start(leader as NodeName);
  await inStep();
});

test('it dies without a word: another takes over within the lease', async () => {
  const [leader] = leaders();
  const term = termNow();
  const seen = await watched(async () => {
    // Closed first, so that it can give nothing up.
    await members.get(leader as NodeName)?.store.close();
    await stop(leader as NodeName);
    const tookMs = await recordBeyond(term);
    expect(tookMs).toBeGreaterThan(BUS_PERIOD_MS);
    expect(tookMs).toBeLessThan(BUS_LEASE_MS + 3 * BUS_PERIOD_MS);
  });
  expect(seen.leaders).toBe(1);
  expect([...seen.faults].filter((fault) => !fault.includes(leader as NodeName))).toEqual([]);
  start(leader as NodeName);
  await inStep();
});

test('the API server is away: nobody conducts, lanes go on, and so do records once it is back', async () => {
  const term = termNow();
  let kidsChanged = 0;
  const seen = await watched(async () => {
    await server.away();
    await vi.waitFor(() => expect(leaders()).toEqual([]), WAIT);
    await pause(2 * BUS_PERIOD_MS); // what was recorded before comes into effect
    const [first] = agents();
    const chain = first?.keeper.sendable(first.timeMs())[0];
    const before = { id: chain?.id, slot: chain?.slot };
    await pause(AWAY_MS);
    const after = before.id && first?.keeper.get(before.id);
    kidsChanged = after && before.slot !== undefined ? after.slot - before.slot : 0;
    expect(leaders()).toEqual([]);
    expect(new Set(newest()).size).toBe(1);
  });
  expect([...seen.faults], 'not one lane is refused').toEqual([]);
  expect(kidsChanged, 'chains tick by themselves').toBeGreaterThanOrEqual(
    AWAY_MS / BUS_PERIOD_MS - 2, // its key may be that of its first slot, and a slot be cut at each end
  );
  for (const { store } of members.values()) expect(store.problem?.code).toBe('KUBE_UNREACHABLE');

  const newestBefore = new Set(newest());
  const healing = await watched(async () => {
    await server.back();
    await vi.waitFor(
      () => {
        for (const id of newest()) expect(newestBefore.has(id)).toBe(false);
      },
      { timeout: 5000 + 2 * BUS_PERIOD_MS, interval: 50 },
    );
  });
  expect([...healing.faults]).toEqual([]);
  expect(healing.leaders).toBeLessThanOrEqual(1);
  expect(termNow()).toBeGreaterThanOrEqual(term);
  await inStep();
});

test('the API server is slow and fails by turns: lanes go on', async () => {
  const seen = await watched(async () => {
    for (const fault of [
      { kind: 'slow', ms: 500 },
      { kind: 'busy', retryAfterSeconds: 1 },
      { kind: 'silent' },
      { kind: 'dropAnswer' },
      { kind: 'garbage', of: 'html' },
      { kind: 'error' },
    ] as const) {
      server.fault = fault;
      await pause(2 * BUS_PERIOD_MS);
      server.fault = undefined;
      await pause(BUS_PERIOD_MS);
    }
  });
  expect([...seen.faults]).toEqual([]);
  expect(seen.leaders).toBeLessThanOrEqual(1);
  await inStep();
});
