// What an attested peer can make a node hold by openings that are denied, and never closed by it.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Hand } from '#hwtest/guarantees/hand.fixture.ts';
import { until, world } from '#proxy/lane.fixture.ts';
import { sealOpening } from '#proxy/laneOpening.ts';
import { USUAL_LIMITS } from '#proxy/snapshot.ts';
import { FRAME } from '#proxy/see/frames.ts';
import { MODE } from '#proxy/see/opening.ts';

const HELD = 4;

/** Two nodes, of which b gives a peer one lane and keeps few connections that carry none. */
async function atLimit() {
  const two = await world({ descriptors: { limit: 20_000, ceiling: 20_000, idle: HELD } });
  two.tell({ limits: { ...USUAL_LIMITS, perPeerLanes: 1 } }, two.b);
  const destination = await two.serve((socket) => socket.pipe(socket));
  const hand = new Hand(two);
  const lane = await hand.lane(destination);
  return { two, hand, destination, lane };
}

/** Sends an opening and never closes. */
async function insist(hand: Hand, opening: Buffer): Promise<Socket> {
  const wire = await hand.dial();
  wire.resume().write(opening);
  return wire;
}

it('a node holds few denied openings, and closes those too', async () => {
  const { two, hand, destination, lane } = await atLimit();
  const wires: Socket[] = [];
  for (let n = 0; n < 20; n += 1) {
    wires.push(await insist(hand, hand.opening(destination).bytes));
    await until(() => expect(two.b.count('refused.peer-limit')).toBe(n + 1));
  }
  await until(() => expect(wires.every(({ readableEnded }) => readableEnded)).toBe(true));
  // Who is closed meanwhile hears of it when it writes.
  const held = (): number => wires.filter((wire) => wire.write('.') && !wire.errored).length;
  await until(() => expect(held()).toBe(HELD));
  two.clock.skip(6000);
  await until(() => expect(held()).toBe(0));
  lane.wire.write(lane.seal(FRAME.data, 'still there'));
  await until(() => expect(lane.heard.length).toBeGreaterThan('still there'.length));
});

it('a peer at its limit gets a few canaries answered, and no more', async () => {
  const { two, hand } = await atLimit();
  const nobody = { address: '0.0.0.0', port: 0 };
  const none = Buffer.alloc(0);
  for (let n = 0; n < 20; n += 1) {
    const block = { token: none, endorsement: none, destination: nobody, client: nobody };
    const opening = sealOpening(
      hand.sending(),
      { ...block, sentMs: Math.floor(two.clock.wallMs()), lineage: none },
      randomBytes(16),
      MODE.canary,
    );
    await insist(hand, opening.bytes);
  }
  await until(() => expect(two.b.count('refused.peer-limit')).toBe(12));
  expect(two.b.count('canariesAnswered')).toBe(8);
});
