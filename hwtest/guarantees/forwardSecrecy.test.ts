// G5: what the memory of both ends holds after some slots, tried on everything that was recorded between
// them. The memory is that of the whole process: workers, control planes and the conductor.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { slotPlus, type Slot } from '#agent/base/brands.ts';
import { sealFor } from '#agent/epochs/sealed.ts';
import { until } from '#proxy/lane.fixture.ts';
import { frameKeys } from '#proxy/see/keys.ts';
import { opened } from './attack.fixture.ts';
import { Cluster, PERIOD_MS } from './cluster.fixture.ts';
import { liveBytes, valuesOf } from './memory.fixture.ts';
import { readLane, tap, type Piece, type RecordedLane, type Truth } from './recording.fixture.ts';
import { unsealed } from './stolen.fixture.ts';

/** A lane from end to end, as the two applications hold it. */
interface Talk {
  readonly app: Socket;
  readonly pod: Socket;
}

let cluster: Cluster;
afterEach(() => cluster.close());

/** Opens lanes one after the other, each with a first word both ways. */
async function talking(count: number): Promise<readonly Talk[]> {
  const pods: Socket[] = [];
  const destination = await cluster.serve((socket) => pods.push(socket));
  const talks: Talk[] = [];
  for (let n = 0; n < count; n += 1) {
    const app = await cluster.a.connect(destination);
    app.write('first');
    await until(() => expect(pods.length).toBe(n + 1));
    const pod = pods[n];
    if (!pod) throw new Error('no connection');
    await once(pod, 'data');
    await said(pod, app, 'first');
    talks.push({ app, pod });
  }
  return talks;
}

async function said(from: Socket, to: Socket, text: string): Promise<void> {
  const heard = once(to, 'data');
  from.write(text);
  await heard;
}

/** Values that open what was sealed in slots before `oldest`, or that it was sealed with. */
function* secretsBefore(oldest: Slot, lanes: readonly RecordedLane[], truth: Truth) {
  for (const { pieces, slot, ls, headerKey } of lanes) {
    if (slot < oldest) yield* [ls, headerKey];
    for (const piece of pieces.filter((each) => each.slot < oldest)) {
      const { key, hp } = frameKeys(piece.secret);
      yield* [piece.secret, key, hp];
    }
  }
  for (const id of truth.chains) {
    for (let slot = truth.firstSlot(id); slot < oldest; slot = slotPlus(slot, 1)) {
      yield truth.chain(id, slot);
    }
  }
}

const SLOTS = 3;
const nameOf = ({ direction, what, slot }: Piece): string => `${direction} ${what} of slot ${slot}`;

describe('nothing recorded that is older than two slots opens', () => {
  it.each([
    ['with a snapshot each slot', () => cluster.rotate(1)],
    [
      'with a data plane that is told nothing',
      () => {
        cluster.clock.skip(PERIOD_MS);
        cluster.follow();
      },
    ],
  ])('G5: by what both ends hold, %s', async (_how, nextSlot) => {
    cluster = await Cluster.start();
    const taps = await tap(cluster);
    const [busy, idle, asked, told] = await talking(4);
    if (!busy || !idle || !asked || !told) throw new Error('a lane is missing');
    asked.app.end(); // half-closed lanes: one end has said all, the other goes on
    told.pod.end();
    for (let n = 0; n < SLOTS; n += 1) {
      nextSlot();
      await said(busy.app, busy.pod, 'question');
      await said(busy.pod, busy.app, 'answer');
      await said(asked.pod, asked.app, 'more');
      await said(told.app, told.pod, 'more');
    }

    const dump = liveBytes();
    const oldest = slotPlus(cluster.slot, -1);
    const lanes = taps.map((each) => readLane(each, cluster.truth));
    const known = {
      values: valuesOf(dump, 32),
      slots: { from: slotPlus(oldest, -SLOTS), to: cluster.slot },
    };
    const pieces = opened(known, lanes);
    const all = lanes.flatMap((lane) => lane.pieces);
    expect(all.filter(({ slot }) => slot < oldest).length).toBeGreaterThan(4 * SLOTS);
    expect(pieces.filter(({ slot }) => slot < oldest).map(nameOf)).toEqual([]);
    for (const secret of secretsBefore(oldest, lanes, cluster.truth)) {
      expect(dump.some((bytes) => bytes.includes(secret))).toBe(false);
    }
    // The present opens: that is what a live key is, and that this attack finds them.
    const present = pieces.filter(({ what, slot }) => what === 'data' && slot >= oldest);
    expect(new Set(present.map(({ direction }) => direction))).toEqual(new Set(['c2s', 's2c']));
    expect(present.map(({ plain }) => String(plain))).toEqual(
      expect.arrayContaining(['question', 'answer']),
    );
  });

  it('G5: by the seal keys that members hold, on the sealed messages of the bus', async () => {
    cluster = await Cluster.start();
    const isSealed = (message: string): boolean => message.includes('"ciphertext"');
    expect(cluster.bus.filter(isSealed)).toHaveLength(2);
    const { conductor, memberA, slot } = cluster;
    const { node, sid } = memberA.own.statement;
    const to = { node, sid, seal: memberA.own.seal.public };
    const next = sealFor(conductor.own, to, { chains: [] }, '0'.repeat(64), slot);
    cluster.bus.push(JSON.stringify(next));
    // Of the three only what has not been opened yet.
    expect(unsealed(valuesOf(liveBytes(), 32), cluster.bus)).toEqual([{ chains: [] }]);
  });
});
