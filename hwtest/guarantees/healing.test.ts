// G6: everything that the memory of all members held at one moment, private keys included, tried on what
// was recorded after it. It is of use until every statement that leaked is renewed and a generation has
// begun after that, and of none from then on.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChainId, Slot } from '#agent/base/brands.ts';
import { fromB64url, type Bytes } from '#agent/base/bytes.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { opened, type KnownChain } from './attack.fixture.ts';
import { Cluster, PERIOD_MS, type Member } from './cluster.fixture.ts';
import { liveBytes, livePrivateKeys, valuesOf } from './memory.fixture.ts';
import { readLane, tap, type Piece, type Tap } from './recording.fixture.ts';
import { lanesOnBus, pairsOf, unsealed } from './stolen.fixture.ts';

let cluster: Cluster;
let taps: readonly Tap[];
let destination: Endpoint;
let lanes: Socket[];
beforeEach(async () => {
  lanes = [];
  cluster = await Cluster.start();
  taps = await tap(cluster);
  destination = await cluster.serve((socket) => socket.pipe(socket));
});
afterEach(() => cluster.close());

/** Some bytes both ways, on every lane and on a new one. */
async function talk(): Promise<void> {
  lanes.push(await cluster.a.connect(destination));
  await echoes();
}

async function echoes(): Promise<void> {
  for (const app of lanes) await says(app, 'bytes');
}

/** A lane that says nothing but what it is told to, and that once now. */
async function quiet(): Promise<Socket> {
  const app = await cluster.a.connect(destination);
  await says(app, 'opened');
  return app;
}

async function says(app: Socket, text: string): Promise<void> {
  const heard = once(app, 'data');
  app.write(text);
  await heard;
}

/** What leaks now. */
function leak() {
  const chains: KnownChain[] = cluster.members.flatMap(({ keeper }) => keeper.live());
  return { values: valuesOf(liveBytes(), 32), keys: livePrivateKeys(), chains, slot: cluster.slot };
}

/** What of the lanes the leak opens now, with all that the bus has said since. */
async function openedBy({ values, keys, chains, slot }: ReturnType<typeof leak>) {
  const { bus, records, truth } = cluster;
  const secrets = unsealed(values, bus);
  const given = secrets.flatMap(({ root, chains: sealed }) => [
    ...(root === undefined ? [] : [fromB64url(root)]),
    ...sealed.map(({ key }) => fromB64url(key)),
  ]);
  const all: Bytes[] = [...values, ...pairsOf(keys, lanesOnBus(bus)), ...given];
  const slots = { from: slot, to: cluster.slot };
  return opened(
    { values: all, chains, records, slots },
    taps.map((each) => readLane(each, truth)),
  );
}

/** The slots that the keys of `pieces` were made in. */
const slotsOf = (pieces: readonly Piece[]): Slot[] => [...new Set(pieces.map(({ slot }) => slot))];

/** Begins a generation, which is in effect when it returns. */
async function heal(): Promise<void> {
  await cluster.begin('heal');
  cluster.clock.skip(PERIOD_MS);
  cluster.follow();
  cluster.tell();
}

async function renewed(...members: readonly Member[]): Promise<void> {
  for (const member of members) await cluster.renew(member);
  cluster.rotate(1);
  await echoes(); // every lane has followed
  cluster.settle();
}

describe('a leak that has ended', () => {
  it('G6: opens nothing once all have renewed and a generation has begun, and does before', async () => {
    const { memberA, memberB, conductor } = cluster;
    await talk();
    const leaked = leak();

    cluster.rotate(1);
    await talk();
    const before = cluster.slot;
    await renewed(memberA, conductor);
    await talk(); // one end is still what it was
    const half = cluster.slot;
    await renewed(memberB);
    await heal();
    await talk();
    const healed = cluster.slot;
    cluster.rotate(1);
    await talk();

    const slots = slotsOf(await openedBy(leaked));
    expect(slots).toEqual(expect.arrayContaining([leaked.slot, before, half]));
    expect(slots.filter((slot) => slot >= healed)).toEqual([]);
  });

  it('G6: is not healed by a generation that one of the leaked seal keys was given', async () => {
    const { memberA, conductor } = cluster;
    const leaked = leak();
    await renewed(memberA, conductor);
    await heal();
    await talk();
    expect(slotsOf(await openedBy(leaked))).toContain(cluster.slot);
  });

  it('G6: opens nothing that a lane says once all is healed, though it was idle until then', async () => {
    const { members } = cluster;
    const [idle, idleUntilHealed] = [await quiet(), await quiet()];
    cluster.rotate(1); // what was used before is updated here: from now on they say nothing
    const leaked = leak();
    await says(idle, 'before');
    cluster.rotate(1);
    for (const member of members) await cluster.renew(member);
    cluster.rotate(1);
    await heal();
    for (const lane of [idle, idleUntilHealed]) await says(lane, 'healed');
    const plain = (await openedBy(leaked)).map((piece) => String(piece.plain));
    expect(plain).toContain('before');
    expect(plain).not.toContain('healed');
  });

  it('G6: follows a lane by its secret and pair into no chain that did not leak', async () => {
    const { memberA, memberB, truth } = cluster;
    await talk();
    const leakedSlot = cluster.slot;
    await heal();
    await echoes();
    const lanes = taps.map((each) => readLane(each, truth));
    const pieces = lanes.flatMap((lane) => lane.pieces);
    const secrets = pieces.flatMap(({ slot, secret }) => (slot === leakedSlot ? [secret] : []));
    const pair = truth.pair(memberA.own.statement.sid, memberB.own.statement.sid);
    const openedWith = (chainKey: (id: ChainId, slot: Slot) => Bytes): Slot[] => {
      const chains = truth.chains.map((id) => {
        const slot = truth.firstSlot(id);
        return { id, slot, key: chainKey(id, slot) };
      });
      const slots = { from: leakedSlot, to: cluster.slot };
      return slotsOf(opened({ values: [...secrets, pair], chains, slots }, lanes));
    };
    expect(openedWith(() => Buffer.alloc(32))).toEqual([leakedSlot]);
    expect(openedWith((id, slot) => truth.chain(id, slot))).toEqual([leakedSlot, cluster.slot]);
  });
});
