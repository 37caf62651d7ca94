// What ends of a lane do with frames that PROTOCOL 7.1 leaves little to read in, against a real worker: which
// it ignores, and which end the lane.
import { expect, it } from 'vitest';
import { Hand, type HandLane } from '#hwtest/guarantees/hand.fixture.ts';
import { readAll, until, world } from '#proxy/lane.fixture.ts';
import { FRAME } from '#proxy/see/frames.ts';

/** A lane to a pod, and what the pod hears until its end. */
async function lane(): Promise<{
  readonly lane: HandLane;
  readonly heard: Promise<Buffer | string>;
}> {
  const two = await world();
  const pods: Promise<Buffer | string>[] = [];
  const destination = await two.serve((socket) => pods.push(readAll(socket)));
  const opened = await new Hand(two).lane(destination);
  await until(() => expect(pods).toHaveLength(1));
  return { lane: opened, heard: pods[0] ?? Promise.reject(new Error('no pod')) };
}

it.each([
  ['PAD', FRAME.pad],
  ['PING', FRAME.ping],
])('PROTOCOL 7.1: %s is ignored, with data and without', async (_, type) => {
  const { lane: opened, heard } = await lane();
  const said = [opened.seal(type, 'x'), opened.seal(FRAME.data, 'data'), opened.seal(type)];
  opened.wire.write(Buffer.concat([...said, opened.seal(FRAME.fin)]));
  expect(String(await heard)).toBe('data');
  opened.wire.destroy();
});

it.each([
  ['a CAR', FRAME.car, Buffer.alloc(0)],
  ['a CAR with data', FRAME.car, Buffer.of(1)],
  ['a FIN with data', FRAME.fin, Buffer.of(1)],
  ['a RESET of no byte', FRAME.reset, Buffer.alloc(0)],
  ['a RESET of one byte', FRAME.reset, Buffer.of(1)],
  ['a RESET of three bytes', FRAME.reset, Buffer.of(0, 1, 0)],
])('PROTOCOL 7.1: %s ends the lane', async (_, type, data) => {
  const { lane: opened, heard } = await lane();
  const said = [opened.seal(type, data), opened.seal(FRAME.data, 'behind'), opened.seal(FRAME.fin)];
  opened.wire.write(Buffer.concat(said)); // a lane that went on would end in order
  expect(await heard).toBe('ECONNRESET');
  opened.wire.destroy();
});
