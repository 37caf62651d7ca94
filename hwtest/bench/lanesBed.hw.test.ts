import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { askAgent } from '#agent/api/client.ts';
import { controlSocketOf } from '#hwtest/rig/cluster.ts';
import { cgroupOf } from '#hwtest/rig/leftovers.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { startLanes } from './lanesBed.ts';
import { requestsUnderRotation } from './measure.ts';
import { makePairs } from './pair.ts';
import { installPeers } from './packages.ts';
import { SHORT_PERIOD_MS, measureRotation } from './rotation.ts';
import type { Subject } from './subject.ts';

const quiet = (): void => undefined;
const epochsSchema = z.object({
  epochs: z.object({ periodMs: z.number(), algorithmsSeen: z.array(z.string()) }),
});

let lanes: Subject;
let otherRig: Rig;
beforeAll(async () => {
  await installPeers(quiet);
  lanes = await startLanes(
    {
      name: 'chacha',
      label: 'lanes, ChaCha20-Poly1305',
      kind: 'variant',
      aead: 'ChaCha20-Poly1305',
      periodMs: SHORT_PERIOD_MS,
      program: [process.execPath, `${import.meta.dirname}/../../agent/main.ts`],
    },
    { workers: 1, probes: false, log: quiet },
  );
  otherRig = (await makePairs(['other'], quiet)).rig;
});
afterAll(async () => {
  await lanes?.rig.close();
  await otherRig?.close();
});

describe('startLanes()', () => {
  it('has lanes of the cipher, the period and the program of its plan', async () => {
    for (const node of lanes.rig.nodes) {
      const status = epochsSchema.parse(await askAgent(controlSocketOf(node), '/status'));
      expect(status.epochs.periodMs).toBe(SHORT_PERIOD_MS);
      expect(status.epochs.algorithmsSeen.length).toBeGreaterThan(0);
      for (const algorithm of status.epochs.algorithmsSeen) {
        expect(algorithm).toMatch(/\/ChaCha20-Poly1305$/);
      }
    }
    expect(lanes.pids.length).toBe(2);
    expect(lanes.beside.length).toBeGreaterThanOrEqual(2);
  });
});

describe('requestsUnderRotation()', () => {
  it('goes through as many rotations as its time has, and loses no request', async () => {
    const values = await requestsUnderRotation(lanes, (2 * SHORT_PERIOD_MS) / 1000);
    expect(values.rotationErrors).toBe(0);
    expect(values.rotations).toBeGreaterThanOrEqual(2);
  });
});

describe('measureRotation()', () => {
  it('lets who is not measured stand still meanwhile, and no longer', async () => {
    const isFrozen = (): boolean =>
      readFileSync(`${cgroupOf(otherRig.id)}/cgroup.events`, 'latin1').includes('frozen 1');
    const other: Subject = { ...lanes, name: 'other', rig: otherRig };
    const measured = measureRotation(lanes, [lanes, other], 0.4);
    await expect.poll(isFrozen, { interval: 20, timeout: 20_000 }).toBe(true);
    await measured;
    expect(isFrozen()).toBe(false);
  });
});
