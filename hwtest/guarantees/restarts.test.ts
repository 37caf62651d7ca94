// G10 of workers that are replaced at both ends, again and again, in one slot and under one statement: no
// name of a lane comes twice, no key meets a nonce twice, and what was opened stays spent. Processes that
// are killed are restarts.hw.test.ts.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Sid } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { until } from '#proxy/lane.fixture.ts';
import { endpoint, headerKeyOf, kidOf } from '#proxy/chips/chain.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { Nonces } from '#proxy/see/aead.ts';
import { earlySecret, frameKeys, laneContext, laneSecret, transcriptOf } from '#proxy/see/keys.ts';
import { Cluster } from './cluster.fixture.ts';
import { Hand } from './hand.fixture.ts';
import { readLane, tap, type Piece } from './recording.fixture.ts';

const RESTARTS = 8;
const LANES = 3;

let cluster: Cluster;
let destination: Endpoint;
beforeEach(async () => {
  cluster = await Cluster.start();
  destination = await cluster.serve((socket) => socket.pipe(socket));
});
afterEach(() => cluster.close());

/** The key and the nonce that a piece was sealed with. */
function sealedWith({ secret, counter }: Piece): string {
  const { key, iv } = frameKeys(secret);
  const nonces = new Nonces(iv);
  for (let skipped = 0; skipped < counter; skipped += 1) nonces.next();
  return `${hex(key)} ${hex(nonces.next())}`;
}

it('G10: new workers repeat no kid with its salt and no key with its nonce', async () => {
  const taps = await tap(cluster);
  for (let n = 0; n < RESTARTS; n += 1) {
    for (let lane = 0; lane < LANES; lane += 1) {
      const app = await cluster.a.connect(destination);
      app.write('the same each time');
      await once(app, 'data');
    }
    await cluster.a.restart();
    await cluster.b.restart();
    cluster.tell();
  }
  const lanes = taps.map((each) => readLane(each, cluster.truth));
  expect(lanes).toHaveLength(RESTARTS * LANES);
  expect(new Set(lanes.map(({ kid }) => hex(kid))).size).toBe(1); // one chain, slot and statement
  expect(new Set(lanes.map(({ salt }) => hex(salt))).size).toBe(lanes.length);
  const pieces = lanes.flatMap((lane) => lane.pieces);
  expect(pieces.length).toBeGreaterThanOrEqual(4 * lanes.length);
  expect(new Set(pieces.map(sealedWith)).size).toBe(pieces.length);
});

it('G10: what was opened before a restart stays spent', async () => {
  const taps = await tap(cluster);
  const app = await cluster.a.connect(destination);
  app.write('pay once');
  await once(app, 'data');
  const recorded = Buffer.concat(taps[0]?.c2s ?? []);
  const hand = new Hand(cluster);
  const replayers: Socket[] = [];
  for (let n = 1; n <= RESTARTS; n += 1) {
    await cluster.b.restart();
    cluster.tell();
    const replayer = await hand.dial();
    replayers.push(replayer);
    replayer.write(recorded);
    await until(() => expect(cluster.b.count('refused.replayed')).toBe(n));
  }
  expect(replayers.map(({ bytesRead }) => bytesRead)).toEqual(replayers.map(() => 0));
});

it('G10: a new statement of either end changes every key, should all else be drawn again', () => {
  const { own, peer, pair, chain } = new Hand(cluster).sending();
  const key = chain.window.keyAt(chain.window.now);
  if (!key) throw new Error('no key');
  const salt = Buffer.alloc(16);
  const derived = (source: typeof own, receiver: typeof peer): string[] => {
    const end = endpoint(receiver.node, receiver.sid);
    const kid = kidOf(key, end);
    const context = laneContext('example.org', 'test', source, receiver);
    const transcript = transcriptOf(kid, salt, Buffer.alloc(14), context);
    const early = frameKeys(earlySecret(laneSecret(key, pair), transcript));
    return [early.key, early.iv, early.hp].map(hex);
  };
  const next = 'ee'.repeat(16) as Sid;
  const keys = [
    derived(own, peer),
    derived({ ...own, sid: next }, peer),
    derived(own, { ...peer, sid: next }),
  ].flat();
  expect(new Set(keys).size).toBe(keys.length);
  // The header has its own key, for the receiver's statement.
  const headers = [peer.sid, next].map((sid) => hex(headerKeyOf(key, endpoint(peer.node, sid))));
  expect(new Set(headers).size).toBe(2);
});
