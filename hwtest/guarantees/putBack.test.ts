// What a node put on the bus in its own name (PROTOCOL 3.7) is there again soon, whoever puts something else in its place:
// a whole epoch plane on a bus that lets a thief write everywhere, in simulated time.
import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { nodeToken } from '#agent/epochs/subjects.ts';
import {
  BUS_LAYOUT,
  BUS_PERIOD_MS,
  SUBJECTS,
  startAgent,
  type AgentOnBus,
} from '#hwtest/virtual/agentOnBus.ts';
import { SimulatedBus } from './simulatedBus.fixture.ts';
import { numbersOf } from './simulatedCluster.fixture.ts';
import { SimulatedTime } from './simulatedTime.fixture.ts';

const NODE = 'node-1' as NodeName;
/** Until a node that is alone conducts and is listed, and until what it looks at every sixth slot was looked at. */
const SLOTS_TO_BEGIN = 12;
const SLOTS_TO_LOOK = 7;

test('enrolment and workloads of a node are put back between its renewals', async () => {
  const time = new SimulatedTime(Date.UTC(2026, 0, 1), async () => {
    await agent.plane.settled();
    await new Promise(setImmediate);
    await agent.plane.settled();
  });
  const bus = new SimulatedBus(time, BUS_LAYOUT, numbersOf(1));
  const agent: AgentOnBus = startAgent(
    NODE,
    bus.of(NODE),
    time.clock(() => 0),
    {
      lanePort: () => 15_008,
      drawn: () => undefined,
      changed: () => undefined,
      renewMs: 3_600_000,
      ttlMs: 7_200_000,
    },
  );
  try {
    await time.advance(SLOTS_TO_BEGIN * BUS_PERIOD_MS);
    expect(agent.plane.admitted).toBe(true);
    const thief = bus.of('thief');
    const { enrolment } = SUBJECTS.buckets;
    const [stream, subject] = [SUBJECTS.streams.workloads, SUBJECTS.workloads(NODE)];
    const stored = async () => [
      (await thief.get(enrolment, nodeToken(NODE)))?.value,
      await thief.last(stream, subject),
    ];
    const genuine = await stored();
    expect(genuine).toMatchObject([{}, { kind: 'workloads' }]);
    await thief.put(enrolment, nodeToken(NODE), 'garbage');
    await thief.publish(subject, 'garbage');
    expect(await stored()).toEqual(['garbage', 'garbage']);
    await time.advance(SLOTS_TO_LOOK * BUS_PERIOD_MS);
    expect(await stored()).toEqual(genuine);
  } finally {
    await agent.close();
  }
});
