// A bus that comes back with nothing of what it had stored: those who were members stay in step by what they
// remember, and who comes new finds roster and evidence there, without anybody's attestation being renewed.
import { afterEach, expect, test, vi } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { startAgentOnBus, type AgentOnBus } from '#hwtest/virtual/agentOnBus.ts';
import { startNats } from './natsServer.fixture.ts';

const NEVER_MS = 600_000;
const [A, B, C] = ['node-1', 'node-2', 'node-3'] as [NodeName, NodeName, NodeName];
const WAIT = { timeout: 60_000, interval: 100 };

const agents: AgentOnBus[] = [];
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

function start(node: NodeName, url: string): AgentOnBus {
  const agent = startAgentOnBus(node, [url], {
    lanePort: () => 15_008,
    drawn: () => undefined,
    changed: () => undefined,
    renewMs: NEVER_MS,
  });
  agents.push(agent);
  return agent;
}

const accepts = ({ peers }: AgentOnBus, node: NodeName): boolean =>
  peers.standing(node) === 'member';
const newestOf = ({ keeper }: AgentOnBus) => keeper.chains()[0];
const statements = ({ peers }: AgentOnBus, node: NodeName) =>
  (peers.get(node)?.accepted ?? []).map(({ statement }) => statement.sid);

test('members stay members, and a newcomer is one of them', async () => {
  await using nats = await startNats();
  const [a, b] = [start(A, nats.url), start(B, nats.url)];
  await vi.waitFor(() => {
    expect(accepts(a, B) && accepts(b, A)).toBe(true);
    expect(newestOf(a)?.id).toBe(newestOf(b)?.id);
  }, WAIT);
  const before = { chain: newestOf(a), ofB: statements(a, B)[0], ofA: statements(b, A)[0] };

  await nats.loseAll();
  const c = start(C, nats.url);
  await vi.waitFor(() => {
    expect([A, B].map((node) => accepts(c, node))).toEqual([true, true]);
    expect([a, b].map((agent) => accepts(agent, C))).toEqual([true, true]);
    const [newest] = [newestOf(c)];
    expect(newest).toBeDefined();
    expect([a, b].map((agent) => newestOf(agent)?.id)).toEqual([newest?.id, newest?.id]);
  }, WAIT);
  expect(newestOf(a)?.id).not.toBe(before.chain?.id);
  expect(statements(a, B)).toContain(before.ofB); // nobody had to attest again
  expect(statements(b, A)).toContain(before.ofA);
});
