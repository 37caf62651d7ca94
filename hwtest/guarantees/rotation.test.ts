// G3: a hundred rotations, each a new slot and a new chain of another algorithm, under lanes that carry
// bytes both ways meanwhile. That it costs no time either is measured by the bench (docs/bench).
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import { CHIPS } from '#proxy/chips/registry.ts';
import { idle, readAll, until } from '#proxy/lane.fixture.ts';
import { Cluster } from './cluster.fixture.ts';
import { readLane, tap } from './recording.fixture.ts';

const ROTATIONS = 100;
/** Rotations for each lane that is opened and ended. */
const NEW_EACH = 4;

let cluster: Cluster;
afterEach(() => cluster.close());

/** One direction of a connection: what was sent into it, and what has come out. */
class Stream {
  readonly #from: Socket;
  readonly #sent: Buffer[] = [];
  readonly #heard: Buffer[] = [];
  #sentBytes = 0;
  #heardBytes = 0;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    to.on('data', (bytes: Buffer) => {
      this.#heard.push(bytes);
      this.#heardBytes += bytes.length;
    });
  }

  send(): void {
    const bytes = randomBytes(1 + (randomBytes(2).readUInt16BE() % 4000));
    this.#sent.push(bytes);
    this.#sentBytes += bytes.length;
    this.#from.write(bytes);
  }

  get isWhole(): boolean {
    return (
      this.#heardBytes >= this.#sentBytes &&
      Buffer.concat(this.#heard).equals(Buffer.concat(this.#sent))
    );
  }
}

it('G3: 100 rotations pause no live lane and fail none, and each replaces every key', async () => {
  cluster = await Cluster.start();
  const taps = await tap(cluster);
  const pods: Socket[] = [];
  const [talk, echo] = [
    await cluster.serve((socket) => pods.push(socket)),
    await cluster.serve((socket) => socket.pipe(socket)),
  ];
  const app = await cluster.a.connect(talk);
  await until(() => expect(pods).toHaveLength(1));
  const [pod] = pods;
  if (!pod) throw new Error('no connection');
  const streams = [new Stream(app, pod), new Stream(pod, app)];
  const areWhole = () => until(() => expect(streams.every(({ isWhole }) => isWhole)).toBe(true));
  for (const stream of streams) stream.send();
  await areWhole(); // an opening may be a slot old, not two

  for (let n = 0; n < ROTATIONS; n += 1) {
    for (const stream of streams) stream.send();
    if (n % 2 === 0) await setImmediate(); // what was sent is on its way, or still with its sender
    cluster.algorithm = CHIPS[n % CHIPS.length]?.id ?? 1;
    cluster.rotate(1);
    for (const stream of streams) stream.send();
    if (n % NEW_EACH === 0) {
      const short = await cluster.a.connect(echo);
      short.end('a new lane');
      expect(String(await readAll(short))).toBe('a new lane');
    }
    await areWhole();
  }
  pod.end();
  app.end();
  await Promise.all([once(app, 'close'), once(pod, 'close')]);
  await idle(cluster);

  for (const { events } of [cluster.a, cluster.b]) {
    expect(events.map(({ kind, reason }) => `${kind} ${reason}`)).toEqual(
      Array.from({ length: ROTATIONS / NEW_EACH + 1 }, () => 'closed clean'),
    );
  }
  const [tapped] = taps;
  if (!tapped) throw new Error('nothing was recorded');
  const { pieces } = readLane(tapped, cluster.truth);
  for (const direction of ['c2s', 's2c']) {
    const mine = pieces.filter((piece) => piece.direction === direction);
    const secrets = new Set(mine.map(({ secret }) => hex(secret)));
    const slots = new Set(mine.map(({ slot }) => slot));
    expect(slots.size).toBe(ROTATIONS + 1);
    expect(secrets.size).toBeGreaterThanOrEqual(slots.size);
  }
});
