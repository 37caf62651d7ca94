// Whole epoch planes of three nodes, as an agent wires them, through whatever a bus, clocks and crashes can do, in
// simulated time (PROTOCOL 4; docs/model has the same claims of a model):
//   shared    a chain under which a node would open a lane, because its peer's statement has confirmed it, the peer holds
//   known     and accepts the statement under which it speaks, while nothing was forgotten and no message lost
//   reached   once the bus has healed, all nodes come to hold the newest chain, each able to send to each other
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Bus } from '#agent/epochs/bus.ts';
import {
  ADMITTED_MS,
  BUS_LAYOUT,
  BUS_PERIOD_MS,
  startAgent,
  SUBJECTS,
  type AgentOnBus,
} from '#hwtest/virtual/agentOnBus.ts';
import { SimulatedBus, type Weather } from './simulatedBus.fixture.ts';
import { NODES, SimulatedCluster, numbersOf } from './simulatedCluster.fixture.ts';
import { SimulatedTime } from './simulatedTime.fixture.ts';

/** Until a fresh cluster is in step, and until a healed one must be again: a lease has to run out, roots to be sealed. */
const SLOTS_TO_BEGIN = 12;
const SLOTS_TO_HEAL = 20;
/** Wall clocks differ by less than a slot. */
const MAX_OFFSET_MS = BUS_PERIOD_MS / 2 - 100;

const node = fc.nat(NODES.length - 1).map((i) => NODES[i] ?? ('' as NodeName));
const weather: fc.Arbitrary<Weather> = fc.record({
  lost: fc.constantFrom(0, 0.1, 0.5),
  twice: fc.constantFrom(0, 0.5),
  lateMs: fc.constantFrom(1, 300, 2 * BUS_PERIOD_MS),
});

type Event = (cluster: SimulatedCluster) => Promise<void> | void;
const named = (name: string, event: Event): Event => Object.assign(event, { toString: () => name });
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.integer({ min: 1, max: 4 }).map((n) => named(`pass ${n}`, (c) => c.pass(n))),
  node.map((n) => named(`cut ${n}`, (c) => c.cutOff(n))),
  node.map((n) => named(`heal ${n}`, (c) => c.bus.heal(n))),
  node.map((n) => named(`restart ${n}`, (c) => c.restart(n))),
  weather.map((w) => named(`weather ${JSON.stringify(w)}`, (c) => c.setWeather(w))),
  fc.constant(named('lose the lease', (c) => c.loseLease())),
  fc.constant(named('back up', (c) => c.backUp())),
  fc.constant(named('restore', (c) => c.restore())),
  fc.constant(named('lose all', (c) => c.loseAll())),
);

test('three nodes share what they confirmed, and come back into step whatever happened', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 12 }),
      fc.tuple(...NODES.map(() => fc.integer({ min: -MAX_OFFSET_MS, max: MAX_OFFSET_MS }))),
      fc.integer(),
      async (events, offsets, seed) => {
        const cluster = new SimulatedCluster(offsets, numbersOf(seed));
        try {
          expect(await cluster.inStep(SLOTS_TO_BEGIN)).toEqual([]);
          for (const each of events) await each(cluster);
          for (const each of NODES) cluster.bus.heal(each);
          cluster.setWeather({ lost: 0, twice: 0, lateMs: 1 });
          expect(await cluster.inStep(SLOTS_TO_HEAL)).toEqual([]);
        } finally {
          await cluster.close();
        }
      },
    ),
    { numRuns: Number(process.env['TIDELOCK_IN_STEP_RUNS'] ?? 20) },
  );
}, 300_000);

/** Slots in none of which anybody is cut off from anybody. */
async function passUncut(cluster: SimulatedCluster, slots: number): Promise<void> {
  for (let slot = 0; slot < slots; slot += 1) {
    await cluster.pass(1);
    expect(cluster.cut()).toEqual([]);
  }
}

test('a wall clock that is set wrong takes nobody out of step, however far and whoever conducts', async () => {
  for (const aheadMs of [3_600_000, -3_600_000, BUS_PERIOD_MS]) {
    for (const each of NODES) {
      const cluster = new SimulatedCluster([0, 0, 0], numbersOf(1));
      try {
        expect(await cluster.inStep(SLOTS_TO_BEGIN)).toEqual([]);
        cluster.setClock(each, aheadMs);
        await passUncut(cluster, SLOTS_TO_HEAL);
        expect(await cluster.inStep(1)).toEqual([]);
      } finally {
        await cluster.close();
      }
    }
  }
}, 120_000);

test('an outage that is longer than an attestation lasts cuts nobody, neither in it nor when it ends', async () => {
  const cluster = new SimulatedCluster([0, 0, 0], numbersOf(3));
  try {
    expect(await cluster.inStep(SLOTS_TO_BEGIN)).toEqual([]);
    for (const each of NODES) cluster.cutOff(each);
    await passUncut(cluster, ADMITTED_MS / BUS_PERIOD_MS + 4);
    for (const each of NODES) cluster.bus.heal(each);
    await passUncut(cluster, SLOTS_TO_HEAL);
    expect(await cluster.inStep(1)).toEqual([]);
  } finally {
    await cluster.close();
  }
}, 120_000);

test('a machine that was suspended, and a virtual one that was paused, is back in step when it goes on', async () => {
  for (const countsSleep of [true, false]) {
    for (const slots of [4, 60]) {
      for (const each of NODES) {
        const cluster = new SimulatedCluster([0, 0, 0], numbersOf(slots), countsSleep);
        try {
          expect(await cluster.inStep(SLOTS_TO_BEGIN)).toEqual([]);
          await cluster.sleep(each, slots);
          expect(await cluster.inStep(SLOTS_TO_HEAL)).toEqual([]);
          await cluster.pass(4);
          expect(cluster.cut()).toEqual([]);
        } finally {
          await cluster.close();
        }
      }
    }
  }
}, 120_000);

test('keys are ticked and an owner is heard, though the bus never gives what it has stored', async () => {
  const agents: AgentOnBus[] = [];
  let isHanging = false;
  const time = new SimulatedTime(Date.UTC(2026, 0, 1), async () => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    for (const each of isHanging ? [] : agents) await each.plane.settled();
  });
  const bus = new SimulatedBus(time, BUS_LAYOUT, numbersOf(1));
  const given = bus.of('node-1');
  const hanging: Bus = Object.create(given, {
    history: {
      value: async function* (...asked: Parameters<Bus['history']>) {
        if (isHanging) await new Promise(() => undefined);
        yield* given.history(...asked);
      },
    },
  }) as Bus;
  const clock = time.clock(() => 0);
  const agent = startAgent('node-1' as NodeName, hanging, clock, {
    lanePort: () => 15_008,
    drawn: () => undefined,
    changed: () => undefined,
  });
  agents.push(agent);
  await time.advance(SLOTS_TO_BEGIN * BUS_PERIOD_MS);
  const { newest } = agent.follower;
  if (!newest) throw new Error('it does not conduct');
  isHanging = true;
  const { document, generation } = newest;
  const payload = { ...(document.payload as Record<string, Json>), generation: generation + 1 };
  await bus.of('thief').publish(SUBJECTS.record, { ...document, payload });
  await time.advance(6 * BUS_PERIOD_MS); // until the newest chain has begun
  const [before] = agent.keeper.chains();
  const slot = before?.slot ?? 0;
  await time.advance(3 * BUS_PERIOD_MS);
  expect(agent.keeper.chains()[0]?.id).toBe(before?.id); // the queue hangs
  expect(agent.keeper.chains()[0]?.slot).toBe(slot + 3);
  await expect(agent.plane.revoke({})).rejects.toMatchObject({ code: 'DOCUMENT_MALFORMED' });
}, 60_000);

test('what simulated randomness is made of is random enough to be of use', () => {
  const draw = numbersOf(randomBytes(4).readInt32LE());
  const drawn = Array.from({ length: 1000 }, draw);
  expect(Math.abs(drawn.reduce((sum, each) => sum + each, 0) / 1000 - 0.5)).toBeLessThan(0.1);
});
