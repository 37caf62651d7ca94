// What a node takes on and what it turns away, seen from programs in pods of two nodes.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readAll, until, world } from './lane.fixture.ts';
import { USUAL_LIMITS, type LaneLimits } from './snapshot.ts';
import type { TestNode, TwoNodes } from './twoNodes.fixture.ts';

/** Two nodes, of which one has these limits, and a server in the pod of the other that echoes. */
async function limited(node: 'a' | 'b', limits: Partial<LaneLimits>) {
  const two = await world();
  two.tell({ limits: { ...USUAL_LIMITS, ...limits } }, two[node]);
  const destination = await two.serve((socket) => socket.pipe(socket));
  return { two, open: () => two.a.connect(destination) };
}

/** Whether a word comes back: else how the connection ended. */
async function echoOf(socket: Socket): Promise<string> {
  socket.write('word');
  const heard = await Promise.race([once(socket, 'data'), readAll(socket)]);
  return Array.isArray(heard) ? String(heard[0]) : String(heard);
}

const reasons = ({ events }: TestNode): string[] =>
  events.map(({ reason, detail }) => `${reason}: ${detail}`);
const ended = async (two: TwoNodes, lanes: number): Promise<void> =>
  until(() => expect([two.a.count('active'), two.b.count('active')]).toEqual([lanes, lanes]));

describe('a pod', () => {
  it('gets a reset beyond its lanes, those it has go on, and one that ends makes room', async () => {
    const { two, open } = await limited('a', { perPodLanes: 2 });
    const [first, second] = [await open(), await open()];
    expect([await echoOf(first), await echoOf(second)]).toEqual(['word', 'word']);
    expect(await readAll(await open())).toBe('ECONNRESET');
    expect(two.a.count('refused.pod-limit')).toBe(1);
    expect(reasons(two.a)).toEqual(['pod-limit: more than 2 at once or 20000 a second']);
    expect(await echoOf(second)).toBe('word');
    first.destroy();
    await ended(two, 1);
    expect(await echoOf(await open())).toBe('word');
  });

  it('gets a reset beyond its openings of a second, and the next ones later', async () => {
    const { two, open } = await limited('a', { perPodOpeningsPerSecond: 3 });
    for (let n = 0; n < 3; n += 1) expect(await echoOf(await open())).toBe('word');
    expect(await readAll(await open())).toBe('ECONNRESET');
    expect(two.a.count('refused.pod-limit')).toBe(1);
    two.clock.skip(1000);
    for (let n = 0; n < 3; n += 1) expect(await echoOf(await open())).toBe('word');
  });

  it('that is connected to refuses by a word beyond its lanes', async () => {
    const { two, open } = await limited('b', { perPodLanes: 1 });
    const first = await open();
    expect(await echoOf(first)).toBe('word');
    expect(await readAll(await open())).toBe('ECONNRESET');
    await until(() => expect(two.b.count('refused.pod-limit')).toBe(1));
    expect(reasons(two.a)).toEqual(['peer-denied: busy']);
    expect(await echoOf(first)).toBe('word');
  });
});

describe('what connects to a pod', () => {
  it('takes nothing from what the pod may open itself', async () => {
    const { two, open } = await limited('b', { perPodLanes: 2 });
    const called = [await open(), await open()];
    for (const socket of called) expect(await echoOf(socket)).toBe('word');
    const here = await two.serve((socket) => socket.pipe(socket), two.a);
    const own = [await two.b.connect(here), await two.b.connect(here)];
    for (const socket of own) expect(await echoOf(socket)).toBe('word');
    expect(await readAll(await two.b.connect(here))).toBe('ECONNRESET');
    expect(two.b.count('refused.pod-limit')).toBe(1);
  });

  it('is limited from the same node too', async () => {
    const { two } = await limited('b', { perPodLanes: 1 });
    const destination = await two.serve((socket) => socket.pipe(socket));
    expect(await echoOf(await two.a.connect(destination))).toBe('word');
    expect(await readAll(await two.b.connect(destination))).toBe('ECONNRESET');
    expect(reasons(two.b)).toEqual(['pod-limit: more than 1 at once or 20000 a second']);
  });
});

describe('a peer', () => {
  it('is told that this node is busy beyond its lanes, and the lanes it has go on', async () => {
    const { two, open } = await limited('b', { perPeerLanes: 1 });
    const first = await open();
    expect(await echoOf(first)).toBe('word');
    expect(await readAll(await open())).toBe('ECONNRESET');
    await until(() => expect(two.b.count('refused.peer-limit')).toBe(1));
    expect(reasons(two.a)).toEqual(['peer-denied: busy']);
    expect(await echoOf(first)).toBe('word');
    first.destroy();
    await ended(two, 0);
    expect(await echoOf(await open())).toBe('word');
  });

  it('is told nothing beyond its openings of a second', async () => {
    const { two, open } = await limited('b', { perPeerOpeningsPerSecond: 1 });
    expect(await echoOf(await open())).toBe('word');
    const app = await open();
    app.write('word');
    await until(() => expect(two.b.count('refused.peer-limit')).toBe(1));
    expect(reasons(two.b)).toEqual(['peer-limit: more than 32000 at once or 1 a second']);
    two.clock.skip(10_000);
    expect(await readAll(app)).toBe('ECONNRESET');
    await until(() => expect(reasons(two.a)).toContain('peer-silent: no reply within a slot'));
    two.skipSlots(1);
    expect(await echoOf(await open())).toBe('word');
  });

  it('is not opened to beyond its lanes', async () => {
    const { two, open } = await limited('a', { perPeerLanes: 1 });
    expect(await echoOf(await open())).toBe('word');
    expect(await readAll(await open())).toBe('ECONNRESET');
    expect(two.a.count('refused.peer-limit')).toBe(1);
    expect(two.b.count('lanesOpenedIn')).toBe(1);
  });
});

describe('what is not open yet counts as what is', () => {
  /** Opens `count` at once; how many carry a word. */
  async function atOnce(count: number, open: () => Promise<Socket>): Promise<number> {
    const apps = await Promise.all(Array.from({ length: count }, open));
    const heard = apps.map(async (app) => {
      app.write('word');
      const word = new Promise((resolve) => app.once('data', resolve));
      return Promise.race([word, readAll(app)]);
    });
    const echoes = (await Promise.all(heard)).filter((each) => String(each) === 'word');
    return echoes.length;
  }

  it('of lanes to a pod whose sockets are still being made, and of connections within its node', async () => {
    const two = await world({ withholdsSockets: true });
    const destination = await two.serve((socket) => socket.pipe(socket));
    two.tell({ limits: { ...USUAL_LIMITS, perPodLanes: 3 } }, two.b);
    const carried = Promise.all([
      atOnce(6, () => two.a.connect(destination)),
      atOnce(3, () => two.b.connect(destination)),
    ]);
    await until(() => expect(two.b.count('refused.pod-limit')).toBe(6));
    for (const give of two.b.withheld?.splice(0) ?? []) give();
    two.b.withheld = undefined;
    const [lanes, within] = await carried;
    expect(lanes + within).toBe(3);
    expect(two.b.count('active')).toBe(3);
  });

  it('of lanes to a peer that is still being connected to', async () => {
    const { two, open } = await limited('a', { perPeerLanes: 2 });
    expect(await atOnce(6, open)).toBe(2);
    expect(two.a.count('refused.peer-limit')).toBe(4);
  });

  it('and room that a refused one had is free again', async () => {
    const { two, open } = await limited('b', { perPodLanes: 1 });
    const nowhere = { address: two.b.podIp, port: 1 };
    for (const node of [two.a, two.b]) {
      expect(await readAll(await node.connect(nowhere))).toBe('ECONNRESET');
    }
    expect(await echoOf(await open())).toBe('word');
  });
});

describe('at the limit of descriptors', () => {
  it('a new connection is reset and said, those that live go on, and later ones are taken', async () => {
    const descriptors = { limit: 20_000, ceiling: 20_000, idle: 8 };
    const two = await world({ descriptors });
    const destination = await two.serve((socket) => socket.pipe(socket));
    const live = await two.a.connect(destination);
    expect(await echoOf(live)).toBe('word');
    descriptors.ceiling = 0;
    expect(await readAll(await two.a.connect(destination))).toBe('ECONNRESET');
    expect(two.b.count('refused.limit')).toBe(1);
    expect(reasons(two.b).at(-1)).toMatch(/^limit: of 20000 descriptors .* raise LimitNOFILE/);
    expect(await echoOf(live)).toBe('word');
    descriptors.ceiling = 20_000;
    expect(await echoOf(await two.a.connect(destination))).toBe('word');
  });

  it('two who have shown no key make room for who comes', async () => {
    const descriptors = { limit: 20_000, ceiling: 20_000, idle: 8 };
    const two = await world({ descriptors });
    const destination = await two.serve((socket) => socket.pipe(socket));
    const strangers = [0, 1].map(() =>
      connect({ port: two.b.lanePort, host: '127.0.0.1' }).resume(),
    );
    await until(() => expect(two.b.count('strangersOpen')).toBe(2));
    descriptors.ceiling = 0;
    expect(await echoOf(await two.a.connect(destination))).toBe('word');
    await until(() => expect(strangers.every(({ destroyed }) => destroyed)).toBe(true));
    expect(two.b.count('refused.limit')).toBe(0);
    expect(await readAll(await two.a.connect(destination))).toBe('ECONNRESET');
  });
});

describe('a half-closed lane', () => {
  it('on which nothing moves ends after its time, and not while something moves', async () => {
    const { two } = await limited('a', { halfClosedMs: 60_000 });
    const servers: Socket[] = [];
    const destination = await two.serve((socket) => servers.push(socket));
    const app = await two.a.connect(destination);
    app.resume().end('all I have to say');
    await until(() => expect(servers[0]?.readableLength).toBeGreaterThan(0));
    servers[0]?.resume();
    for (let slots = 0; slots < 9; slots += 1) {
      servers[0]?.write('.');
      await until(() => expect(app.bytesRead).toBe(slots + 1));
      two.skipSlots(1);
    }
    expect(two.a.count('active')).toBe(1);
    two.skipSlots(8);
    await until(() => expect(two.a.count('closed.half-closed')).toBe(1));
    await ended(two, 0);
    await until(() => expect(app.errored).toMatchObject({ code: 'ECONNRESET' }));
  });

  it('does not end while its reader is slow, at either node', async () => {
    const { two } = await limited('a', { halfClosedMs: 60_000 });
    two.tell({ limits: { ...USUAL_LIMITS, halfClosedMs: 60_000 } }, two.b);
    const servers: Socket[] = [];
    const destination = await two.serve((socket) => servers.push(socket));
    const app = await two.a.connect(destination);
    app.write('hello');
    await until(() => expect(servers).toHaveLength(1));
    servers[0]?.end();
    app.end(Buffer.alloc(64 << 20)); // more than all buffers hold
    for (let last = -1; last !== two.b.count('bytesIn');) {
      last = two.b.count('bytesIn');
      await new Promise((resolve) => {
        setTimeout(resolve, 300);
      });
    }
    two.skipSlots(20);
    expect([two.a.count('active'), two.b.count('active')]).toEqual([1, 1]);
    servers[0]?.resume();
    await until(() => expect(servers[0]?.bytesRead).toBe((64 << 20) + 5));
    await ended(two, 0);
    expect(two.a.count('closed.clean')).toBe(1);
  });
});
