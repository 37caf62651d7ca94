// G10 of a real data plane as node b, killed in mid-lane again and again: the next process of the same
// statement, chain and slot lets no opening in twice and answers none of them, and draws nothing that was
// drawn before. What survives of the one before is the replay set.
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { slotAt } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { world } from '#proxy/lane.fixture.ts';
import type { Opening } from '#proxy/laneOpening.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { WAIT, running, start, undo } from '#proxy/plane.fixture.ts';
import { freePort } from '#proxy/ports.fixture.ts';
import { Hand } from './hand.fixture.ts';

const KILLS = 3;
const LANES = 3;
/** Long beside the test: what it opens stays acceptable, but for the replay set. */
const PERIOD_MS = 30_000;

it('G10: kill -9 in a loop: no opening counts twice, no salt comes twice', async () => {
  const two = await world({ periodMs: PERIOD_MS });
  const destination = await two.serve((socket) => socket.pipe(socket));
  const { plane, counters } = await start({
    mainPath: fileURLToPath(import.meta.resolve('#proxy/main.ts')),
  });
  two.b.lanePort = await freePort();
  const listener = tcpListener('127.0.0.1', two.b.lanePort);
  undo.push(() => closeFd(listener));
  plane.publish(two.snapshot(two.b, two.a));
  plane.listen({ kind: 'lane' }, listener);
  plane.listenersNamed();
  await running(plane);

  const hand = new Hand(two);
  const [openings, replySalts]: [Opening[], string[]] = [[], []];
  const replayers: Socket[] = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    for (let n = 0; n < LANES; n += 1) {
      const lane = await hand.lane(destination);
      openings.push(lane.opening);
      replySalts.push(hex(lane.replySalt));
    }
    process.kill(plane.status().pid, 'SIGKILL');
    await running(plane, kill);
    const before = counters.totals()['refused.replayed'];
    const now = slotAt(Date.now(), PERIOD_MS); // of a slot before the last nothing would open anyway
    const acceptable = openings.filter(({ start }) => start.slot >= now - 1);
    expect(acceptable.length).toBeGreaterThanOrEqual(LANES);
    for (const { bytes } of acceptable) {
      const replayer = await hand.dial();
      replayers.push(replayer);
      replayer.write(bytes);
    }
    await vi.waitFor(
      () => expect(counters.totals()['refused.replayed']).toBe(before + acceptable.length),
      WAIT,
    );
  }
  expect(counters.totals().lanesOpenedIn).toBe(KILLS * LANES);
  expect(replayers.map(({ bytesRead }) => bytesRead)).toEqual(replayers.map(() => 0));
  expect(new Set(replySalts).size).toBe(replySalts.length);
  for (const replayer of replayers) replayer.destroy();
});
