// G4: everything that another member knows, as it also conducts, tried on the lanes between two others: to
// read what was recorded, to open a lane in another's name, and to answer in another's.
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { slotPlus, type Slot } from '#agent/base/brands.ts';
import { fromB64url, type Bytes } from '#agent/base/bytes.ts';
import { onPath, readAll, until } from '#proxy/lane.fixture.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { Sending } from '#proxy/keyRing.ts';
import { frameKeys, laneSecret, trafficSecret, transcriptOf } from '#proxy/see/keys.ts';
import { PREFIX_BYTES, SALT_BYTES, encodeReply, openHeader } from '#proxy/see/opening.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { opened, type Knowledge } from './attack.fixture.ts';
import { Cluster } from './cluster.fixture.ts';
import { Hand } from './hand.fixture.ts';
import { readLane, tap, type RecordedLane } from './recording.fixture.ts';

let cluster: Cluster;
let roots: Buffer[];
let first: Slot;
/** What node b's pod was sent, by connection. */
let heard: Promise<Buffer | string>[];
let destination: Endpoint;

beforeEach(async () => {
  roots = [];
  cluster = await Cluster.start((root) => roots.push(Buffer.from(root)));
  first = cluster.slot;
  heard = [];
  destination = await cluster.serve((socket) => {
    socket.write('answer');
    heard.push(readAll(socket));
  });
});
afterEach(() => cluster.close());

/** What the third member has made, received, or can compute: every value there is to try as a key. */
function knowledge(): Bytes[] {
  const { conductor, truth, bus } = cluster;
  const statements = bus
    .map((message) => JSON.parse(message) as { readonly lane?: string })
    .flatMap(({ lane }) => (lane === undefined ? [] : [fromB64url(lane)]));
  const seeds = conductor.own.sign.seeds();
  return [
    ...roots,
    ...truth.chains.flatMap((id) => {
      const slots = cluster.slot - truth.firstSlot(id) + 2;
      return Array.from({ length: slots }, (_, n) =>
        truth.chain(id, slotPlus(truth.firstSlot(id), n)),
      );
    }),
    ...statements,
    ...statements.map((lane) => conductor.own.lane.agree(lane)),
    seeds.ed25519,
    seeds.mldsa65,
    Buffer.alloc(32),
  ];
}

/** What the third member tries on what it has recorded, with `more` that it was told. */
function known(...more: readonly Bytes[]): Knowledge {
  const { truth, slot: to } = cluster;
  const chains = truth.chains.map((id) => {
    const slot = truth.firstSlot(id);
    return { id, slot, key: truth.chain(id, slot) };
  });
  return { values: [...knowledge(), ...more], chains, slots: { from: first, to } };
}

/** The pair secret of the two others. */
const pairOfOthers = (): Buffer =>
  cluster.truth.pair(cluster.memberA.own.statement.sid, cluster.memberB.own.statement.sid);

/** A lane between the two others over some slots and chains, as the third recorded it. */
async function recordedLanes(): Promise<readonly RecordedLane[]> {
  const taps = await tap(cluster);
  const app = await cluster.a.connect(destination);
  await once(app, 'data');
  for (let slot = 0; slot < 3; slot += 1) {
    app.write(`of slot ${slot}`);
    cluster.rotate(1);
  }
  app.end('the last');
  await until(() => expect(heard).toHaveLength(1));
  expect(String(await heard[0])).toBe('of slot 0of slot 1of slot 2the last');
  return taps.map((each) => readLane(each, cluster.truth));
}

/** A reply to `opening` as the holder of this LS makes it; a member opens the header of any lane. */
function forgedReply({ headerKey, context }: Sending, opening: Buffer, ls: Buffer): Buffer {
  const outer = openHeader(headerKey, opening.subarray(0, PREFIX_BYTES));
  if (!outer) throw new Error('not an opening');
  const salt = opening.subarray(8, 8 + SALT_BYTES);
  const transcript = transcriptOf(opening.subarray(0, 8), salt, outer.plain, context);
  const replySalt = Buffer.alloc(SALT_BYTES);
  const s2c = trafficSecret(ls, 's2c', transcript, replySalt);
  const sealer = new FrameSealer('AES-256-GCM', frameKeys(s2c));
  return Buffer.concat([replySalt, sealer.message(replySalt, encodeReply({}))]);
}

describe('a member that conducts', () => {
  it('G4: reads nothing of a lane between two others, in whatever slot or chain', async () => {
    const lanes = await recordedLanes();
    expect(opened(known(), lanes)).toEqual([]);
    // The one thing that it lacks.
    expect(opened(known(pairOfOthers()), lanes)).toEqual(lanes.flatMap(({ pieces }) => pieces));
  });

  it('G4: follows such a lane into no other slot, though its secrets of one were betrayed', async () => {
    const lanes = await recordedLanes();
    const pieces = lanes.flatMap((lane) => lane.pieces);
    const before = pieces.filter(({ slot }) => slot === first);
    const betrayed = before.map(({ secret }) => secret);
    expect(before.length).toBeLessThan(pieces.length);
    expect(opened(known(...betrayed), lanes)).toEqual(before);
    expect(opened(known(...betrayed, pairOfOthers()), lanes)).toEqual(pieces);
  });

  it('G4: opens no lane in the name of another, and hears nothing of why', async () => {
    const hand = new Hand(cluster);
    const own = hand.sending();
    const chain = cluster.truth.chain(own.chain.id, own.slot);
    const forged = knowledge().map((pair) => {
      // The opening overwrites its LS; everything else here a holder of the chain computes.
      const ls = laneSecret(chain, pair);
      return hand.opening(destination, { ...own, pair, ls }).bytes;
    });
    const wires = await Promise.all(forged.map(() => hand.dial()));
    for (const [at, wire] of wires.entries()) wire.write(forged[at] ?? '');
    await until(() => expect(cluster.b.count('strangersOpen')).toBe(forged.length));
    const answers = wires.map((wire) => readAll(wire));
    await until(() => {
      cluster.clock.skip(1000);
      expect(cluster.b.count('strangersOpen')).toBe(0);
    });
    expect((await Promise.all(answers)).map(String)).toEqual(forged.map(() => ''));
    expect(heard).toEqual([]);

    await hand.lane(destination); // with the pair of the two
    expect(heard).toHaveLength(1);
  });

  it('G4: answers no opening in the name of another', async () => {
    const hand = new Hand(cluster);
    const own = hand.sending();
    const chain = cluster.truth.chain(own.chain.id, own.slot);
    const pairs = knowledge();
    const tried = pairs.values();
    await onPath(cluster, (near) => {
      near.on('data', (opening: Buffer) => {
        const { value: pair } = tried.next();
        if (pair) near.write(forgedReply(own, opening, laneSecret(chain, pair)));
      });
    });
    for (const _ of pairs) {
      const app = await cluster.a.connect(destination);
      app.write('secret');
      expect(await readAll(app)).toBe('ECONNRESET');
    }
    expect(cluster.a.count('lanesOpenedOut')).toBe(0);
  });
});
