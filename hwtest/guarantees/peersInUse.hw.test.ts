// A cluster that is not known whole, on a real bus: nodes come to follow each other by the address of a pod, and
// nobody follows whom he has nothing to do with.
import { connect } from '@nats-io/transport-node';
import { afterEach, expect, test, vi } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { signMeet } from '#agent/epochs/meet.ts';
import { SUBJECTS, startAgentOnBus, type AgentOnBus } from '#hwtest/virtual/agentOnBus.ts';
import { startNats, type NatsServer } from './natsServer.fixture.ts';

const [A, B, C] = ['node-1', 'node-2', 'node-3'] as [NodeName, NodeName, NodeName];
const [OF_A, OF_B, OF_C] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
const NOWHERE = '203.0.113.1';
const WAIT = { timeout: 60_000, interval: 100 };

const agents: AgentOnBus[] = [];
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

async function startAll({ url }: NatsServer): Promise<[AgentOnBus, AgentOnBus, AgentOnBus]> {
  const start = (node: NodeName, address: string): AgentOnBus => {
    const agent = startAgentOnBus(node, [url], {
      lanePort: () => 15_008,
      drawn: () => undefined,
      changed: () => undefined,
      knowAllUpTo: 0,
      addresses: [address],
    });
    agents.push(agent);
    return agent;
  };
  const all = [start(A, OF_A), start(B, OF_B), start(C, OF_C)] as const;
  await vi.waitFor(
    () => expect(all.map(({ plane }) => plane.admitted)).toEqual([true, true, true]),
    WAIT,
  );
  return [...all];
}

const followed = ({ peers }: AgentOnBus): readonly string[] => peers.all().map(({ node }) => node);

test('by the address of a pod two nodes come to follow each other, and no third one', async () => {
  await using nats = await startNats();
  const [a, b, c] = await startAll(nats);
  expect([a, b, c].map(followed)).toEqual([[], [], []]);
  await vi.waitFor(async () => expect(await a.plane.whereIs(OF_B)).toBe(true), WAIT);
  expect([a, b, c].map(followed)).toEqual([[B], [A], []]);
  // Both hear which chains the other holds, as they must before a lane is opened.
  await vi.waitFor(() => {
    expect(a.peers.get(B)?.confirmed.size).toBeGreaterThan(0);
    expect(b.peers.get(A)?.confirmed.size).toBeGreaterThan(0);
  }, WAIT);
  expect(await a.plane.whereIs(NOWHERE)).toBe(false);
  expect([a, b, c].map(followed)).toEqual([[B], [A], []]);
});

test('whose an address is cannot be learned from a bus that is away, nor from a claim that is not borne out', async () => {
  await using nats = await startNats();
  const [a, b, c] = await startAll(nats);
  const liar = await connect({ servers: nats.url });
  liar.publish(SUBJECTS.address(NOWHERE, B), '{"v":1}');
  liar.publish(SUBJECTS.address('10.0.0.9', 'no-member' as NodeName), '{"v":1}');
  // Nobody can have C follow B in the name of B.
  const speaker = a.own.listed[0]?.own;
  if (!speaker) throw new Error('not listed');
  const slot = Math.floor(a.timeMs() / 2_000);
  const forged = signMeet(
    { v: 1, node: B, sid: speaker.statement.sid, to: C, slot: slot as never },
    speaker.sign,
  );
  const asked = (from: NodeName) =>
    liar.request(SUBJECTS.meet(C, from), JSON.stringify(forged), { timeout: 2_000 });
  expect((await asked(B)).json()).toMatchObject({ ok: false });
  await expect(asked(A)).rejects.toThrow(); // who may speak there is not B
  await liar.drain();
  expect(followed(c)).toEqual([]);

  await vi.waitFor(async () => expect(await a.plane.whereIs(NOWHERE)).toBe(false), WAIT); // B does not say so itself
  expect(await a.plane.whereIs('10.0.0.9')).toBeUndefined(); // it may have been a member
  expect(followed(b)).toContain(A);
  await nats.kill();
  expect(await c.plane.whereIs(OF_B)).toBeUndefined();
});
