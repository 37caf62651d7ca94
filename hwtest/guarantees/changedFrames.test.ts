// G11 of frames, against the real workers of both nodes: of a frame that is changed, cut off, moved, sent
// twice or taken from elsewhere not one byte is delivered, and what is no frame of this lane is answered
// with a TCP RST alone.
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import { onPath, until, world } from '#proxy/lane.fixture.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { FRAME, LENGTH_BYTES, encodeKeyUpdate, encodeReset } from '#proxy/see/frames.ts';
import { MODE, REPLY_BYTES } from '#proxy/see/opening.ts';
import type { TwoNodes } from '#proxy/twoNodes.fixture.ts';
import { PERIOD_MS } from './cluster.fixture.ts';
import { Hand, type HandLane } from './hand.fixture.ts';

/** One end of a connection as an application sees it. */
class Heard {
  readonly socket: Socket;
  text = '';
  ending: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')));
    socket.once('end', () => (this.ending ??= 'FIN'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => (this.ending ??= code));
  }
}

let two: TwoNodes;
let hand: Hand;
let destination: Endpoint;
let pods: Heard[];
beforeEach(async () => {
  two = await world({ periodMs: PERIOD_MS });
  two.clock.skip(PERIOD_MS - (two.clock.wallMs() % PERIOD_MS)); // a whole slot from now on
  two.tell();
  hand = new Hand(two);
  pods = [];
  destination = await two.serve((socket) => pods.push(new Heard(socket)));
});

/** A lane under its own keys, by which the pod has heard `before`. */
async function openLane(): Promise<{ readonly lane: HandLane; readonly pod: Heard }> {
  const lane = await hand.lane(destination);
  lane.wire.write(lane.seal(FRAME.data, 'before'));
  await until(() => expect(pods.at(-1)?.text).toBe('before'));
  const pod = pods.pop();
  if (!pod) throw new Error('no connection');
  return { lane, pod };
}

/** Application bytes that node b has passed on, either way. */
const passedOn = (): number => two.b.count('bytesIn') + two.b.count('bytesOut');

/**
 * Sends `bytes` and the end of the stream; what the pod hears until its end, and what comes back. `delivered`:
 * bytes passed on, of which a reset may overtake the last on their way to the pod.
 */
async function outcome(lane: HandLane, pod: Heard, bytes: Buffer) {
  const [before, passed] = [lane.heard.length, passedOn()];
  lane.wire.end(bytes);
  await until(() => expect(pod.ending).toBeDefined());
  await lane.closed;
  const [answered, delivered] = [lane.heard.length - before, passedOn() - passed];
  return { text: pod.text, ending: pod.ending, answered, delivered };
}

/** Nothing but a reset, at both ends. */
const RESET = { text: 'before', ending: 'ECONNRESET', answered: 0, delivered: 0 };

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

/** What is taken from where it was said. */
const ANSWER = 'stolen';

/** Something to say in a frame of each type. */
const BODIES: Readonly<Record<keyof typeof FRAME, () => string | Buffer>> = {
  data: () => 'x',
  fin: () => '',
  reset: () => encodeReset('application'),
  keyUpdate: () => {
    const { chain, slot, own, peer } = hand.sending();
    return encodeKeyUpdate({
      kind: 1,
      chainId: chain.id,
      slot,
      ownSid: own.sid,
      peerSid: peer.sid,
    });
  },
  car: () => 'x',
  pad: () => 'x',
  ping: () => '',
};

describe('a frame from client to server', () => {
  it.each(Object.keys(FRAME) as (keyof typeof FRAME)[])(
    'G11: of type %s, with a bit changed in any byte',
    async (type) => {
      const length = 3 + 17 + BODIES[type]().length;
      for (const at of range(length)) {
        const { lane, pod } = await openLane();
        const frame = lane.seal(FRAME[type], BODIES[type]());
        expect(frame).toHaveLength(length);
        frame[at] = (frame[at] ?? 0) ^ (1 << (at % 8));
        const bytes = Buffer.concat([frame, lane.seal(FRAME.data, 'after')]);
        expect(await outcome(lane, pod, bytes), `byte ${at}`).toEqual(RESET);
      }
    },
  );

  it('G11: cut off anywhere, and the stream with it', async () => {
    const { length } = (await openLane()).lane.seal(FRAME.data, 'x');
    for (const at of range(length)) {
      const { lane, pod } = await openLane();
      const bytes = lane.seal(FRAME.data, 'x').subarray(0, at);
      expect(await outcome(lane, pod, bytes), `${at} bytes`).toEqual(RESET);
    }
  });

  it.each([0, FRAME.car, 8, 9, 64, 127, 128, 255])(
    'G11: of type %d, which no tunnel has',
    async (type) => {
      const { lane, pod } = await openLane();
      const bytes = Buffer.concat([lane.seal(type), lane.seal(FRAME.data, 'after')]);
      const { answered, ...rest } = await outcome(lane, pod, bytes);
      expect({ ...rest, answered: 0 }).toEqual(RESET);
      expect(answered).toBeGreaterThan(0); // a RESET: node b holds the key for it
    },
  );

  it('G11: behind the FIN of its direction', async () => {
    const { lane, pod } = await openLane();
    const bytes = Buffer.concat([lane.seal(FRAME.fin), lane.seal(FRAME.data, 'after')]);
    expect((await outcome(lane, pod, bytes)).text).toBe('before');
    expect(two.b.events.at(-1)).toMatchObject({ reason: 'protocol', detail: 'bytes after FIN' });
  });

  it('G11: in another order, left out, or sent twice', async () => {
    for (const [order, text] of [
      [[1, 0], ''],
      [[1], ''],
      [[0, 2], 'one'],
      [[0, 0], 'one'],
      [[0, 1, 0], 'onetwo'],
    ] as const) {
      const { lane, pod } = await openLane();
      const frames = ['one', 'two', 'three'].map((said) => lane.seal(FRAME.data, said));
      const bytes = Buffer.concat(order.map((n) => frames[n] ?? Buffer.alloc(0)));
      const { text: heard, ...rest } = await outcome(lane, pod, bytes);
      expect({ ...rest, text: 'before' }).toEqual({ ...RESET, delivered: text.length });
      expect(`before${text}`).toContain(heard);
    }
  });

  it('G11: taken from another lane or the other direction', async () => {
    const answerOf = async (lane: HandLane, pod: Heard): Promise<Buffer> => {
      pod.socket.write(ANSWER);
      await until(() => expect(lane.heard.length).toBeGreaterThan(0));
      return Buffer.from(lane.heard);
    };
    const strange: Readonly<Record<string, (lane: HandLane, pod: Heard) => Promise<Buffer>>> = {
      lane: async () => (await openLane()).lane.seal(FRAME.data, ANSWER),
      direction: answerOf,
      // Lengths can be seen from outside, and with them the mask of one: a frame that is kept back has it.
      'direction, its length masked as is due': async (lane, pod) => {
        const answer = await answerOf(lane, pod);
        const kept = lane.seal(FRAME.data, ANSWER.toUpperCase());
        return Buffer.concat([kept.subarray(0, LENGTH_BYTES), answer.subarray(LENGTH_BYTES)]);
      },
    };
    for (const [from, take] of Object.entries(strange)) {
      const { lane, pod } = await openLane();
      const bytes = await take(lane, pod);
      expect(await outcome(lane, pod, bytes), from).toEqual(RESET);
    }
  });

  it('G11: taken from the slot before', async () => {
    const { lane, pod } = await openLane();
    const old = lane.seal(FRAME.data, ' once');
    lane.wire.write(old);
    await until(() => expect(pod.text).toBe('before once'));
    two.skipSlots(1);
    hand.tell();
    lane.wire.write(lane.seal(FRAME.data, ' now'));
    await until(() => expect(pod.text).toBe('before once now'));
    const { text, ending } = await outcome(lane, pod, old);
    expect([text, ending]).toEqual(['before once now', 'ECONNRESET']);
  });

  it.each([
    ['tunnel', MODE.tunnel],
    ['canary', MODE.canary],
  ])('G11: early, from behind another opening of mode %s', async (_name, mode) => {
    const [opening, other] = [
      hand.opening(destination),
      hand.opening(destination, hand.sending(), mode),
    ];
    const wire = await hand.dial();
    const stolen = other.sealer.frame(FRAME.data, Buffer.from('stolen'));
    wire.end(Buffer.concat([opening.bytes, stolen]));
    await until(() => expect(pods.map(({ ending }) => ending)).toEqual(['ECONNRESET']));
    expect(pods.map(({ text }) => text)).toEqual(['']);
  });
});

describe('from server to client', () => {
  it('G11: a bit changed in any byte of the reply or of a frame', async () => {
    const length = REPLY_BYTES + 3 + 17 + 'answer'.length;
    let changed = -1;
    await onPath(two, (near, far) => {
      let passed = 0;
      near.pipe(far);
      far.on('data', (bytes: Buffer) => {
        const at = changed - passed;
        if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (changed % 8));
        passed += bytes.length;
        near.write(bytes);
        if (passed >= length) near.end(); // a longer length than the right one is waited for
      });
      for (const socket of [near, far]) socket.on('error', () => undefined);
    });
    const answering = await two.serve((socket) => socket.write('answer'));
    for (const at of range(length)) {
      changed = at;
      const app = new Heard(await two.a.connect(answering));
      await until(() => expect(app.ending).toBeDefined());
      expect({ at, text: app.text, ending: app.ending }).toEqual({
        at,
        text: '',
        ending: 'ECONNRESET',
      });
    }
    changed = -1;
    const app = new Heard(await two.a.connect(answering));
    await until(() => expect(app.text).toBe('answer'));
  });
});
