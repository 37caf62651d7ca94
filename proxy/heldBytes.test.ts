import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clearHeld, HeldBytes, heldMemory, MAX_READ_BYTES } from './heldBytes.ts';
import { idle, readAll, until, world } from './lane.fixture.ts';

const MIB = 1 << 20;

describe('HeldBytes', () => {
  it('pressure comes of what all workers hold, and goes with it', () => {
    const memory = heldMemory(2);
    const [one, other] = [0, 1].map((worker) => new HeldBytes(memory, worker, 8 * MIB));
    const both = () => [one?.pressure, other?.pressure];
    one?.count(3 * MIB);
    other?.count(MIB - 1);
    expect(both()).toEqual(['none', 'none']);
    other?.count(1 + (64 << 10)); // what another holds is looked at with every 64 KiB of one's own
    one?.count(64 << 10);
    expect(both()).toEqual(['half', 'half']);
    other?.count(5 * MIB);
    expect(both()).toEqual(['all', 'all']);
    clearHeld(memory, 1);
    expect(one?.pressure).toBe('none');
  });
});

const READERS = 12;
const SENT = randomBytes(16 * MIB);
const digest = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

describe.each(['lanes', 'connections within a node'])('slow readers of %s', (kind) => {
  it('hold no more than there is, cost nobody a connection, and get all of it when they read on', async () => {
    const maxBytes = MIB;
    const held = new HeldBytes(heldMemory(1), 0, maxBytes);
    const two = await world({ held });
    const caller = kind === 'lanes' ? two.a : two.b;
    const slow: Socket[] = [];
    const stuck = await two.serve((socket) => slow.push(socket.pause()));
    const echo = await two.serve((socket) => socket.pipe(socket));
    const apps: Socket[] = [];
    for (let n = 0; n < READERS; n += 1) apps.push(await caller.connect(stuck));
    for (const app of apps) app.end(SENT);
    for (let last = -1; last !== two.b.count('bytesIn') + two.b.count('bytesOut');) {
      last = two.b.count('bytesIn') + two.b.count('bytesOut');
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    expect(held.pressure).toBe('all');
    // Each of two legs at either node may hold one short read more.
    expect(held.own).toBeLessThan(maxBytes + 4 * READERS * MAX_READ_BYTES.all);
    const other = await caller.connect(echo);
    other.end(SENT.subarray(0, 2 * MIB));
    expect(digest(await readAll(other))).toBe(digest(SENT.subarray(0, 2 * MIB)));
    expect(slow).toHaveLength(READERS);
    const all = slow.map(async (socket) => {
      const bytes = await readAll(socket.resume());
      socket.end();
      return digest(bytes);
    });
    for (const each of await Promise.all(all)) expect(each).toBe(digest(SENT));
    await idle(two);
    await until(() => expect(held.own).toBe(0));
    expect(caller.events.map((event) => event.reason)).toEqual(Array(READERS + 1).fill('clean'));
  });
});
