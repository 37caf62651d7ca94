// Connections to addresses that may be of nodes which are not followed yet: they wait until it is known
// whose the address is.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import type { Endpoint } from '#proxy/see/address.ts';
import { idle, readAll, until, world } from './lane.fixture.ts';
import type { Service, Snapshot } from './snapshot.ts';
import type { TwoNodes } from './twoNodes.fixture.ts';
import { ANSWER_WITHIN_MS } from './whereabouts.ts';

const WAIT = { timeout: 10_000, interval: 5 };
const NOT_LEARNED = /^whose \S+ is could not be learned in time$/;

/** Two nodes, of which a follows nobody and asks; no timer fires unless the test skips time. */
async function unfollowed(more: Partial<Snapshot> = {}): Promise<TwoNodes> {
  const two = await world({ onlySkips: true });
  two.tell({ outside: { asks: true, peers: [], remotes: [], ...more } }, two.a);
  return two;
}

/** Node a follows node b, and still asks. */
const follow = (two: TwoNodes, more: Partial<Snapshot> = {}): void =>
  two.tell({ outside: { asks: true, ...more } }, two.a);

const asked = (two: TwoNodes): string[] => two.a.asked.map(({ address }) => address);
const isAsked = (two: TwoNodes, count = 1) => until(() => expect(two.a.asked).toHaveLength(count));

/** Answers the question that was asked last. */
function answer(two: TwoNodes, isKnown: boolean | undefined): void {
  const id = two.a.asked.at(-1)?.id ?? -1;
  two.a.worker.handle({ type: 'whereabouts', id, isKnown });
}

const refusals = ({ a }: TwoNodes) => a.events.filter(({ kind }) => kind === 'refused');

/** A server of no pod. */
async function outsider(address: string): Promise<Endpoint & { close: () => void }> {
  const server = createServer((socket) => socket.end('in the clear')).listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { address, port, close: () => server.close() };
}

describe('a connection to an address that no snapshot names', () => {
  it('waits for the answer, and goes on with what was said meanwhile and its end', async () => {
    const two = await unfollowed();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.end('said early');
    await isAsked(two);
    expect(asked(two)).toEqual([destination.address]);
    follow(two);
    expect(two.a.count('active')).toBe(0);
    answer(two, true);
    expect(String(await readAll(app))).toBe('said early');
    await idle(two);
    expect(two.a.events).toMatchObject([
      { kind: 'closed', reason: 'clean', peer: two.b.name, rule: 'test/all' },
    ]);
  });

  it('is held back while it says more than is kept', async () => {
    const two = await unfollowed();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    const bytes = Buffer.alloc(32 << 20, 7);
    let isTaken = false;
    app.end(bytes, () => {
      isTaken = true;
    });
    await isAsked(two);
    await new Promise((resolve) => {
      setTimeout(resolve, 500); // by then all of it would be read
    });
    expect(isTaken).toBe(false);
    follow(two);
    answer(two, true);
    expect(bytes.equals((await readAll(app)) as Buffer)).toBe(true);
  });

  it('shares one question with others, and each is judged by the policy', async () => {
    const two = await unfollowed();
    const destination = await two.serve((socket) => socket.end('carried'));
    const apps = [await two.a.connect(destination), await two.a.connect(destination)];
    two.a.turn(); // both are accepted before the next one goes elsewhere
    const other = await two.a.connect({ address: '192.0.2.9', port: 80 });
    await isAsked(two, 2);
    expect(asked(two)).toEqual([destination.address, '192.0.2.9']);
    follow(two);
    two.a.worker.handle({ type: 'whereabouts', id: two.a.asked[0]?.id ?? 0, isKnown: true });
    for (const app of apps) expect(String(await readAll(app.end()))).toBe('carried');
    two.tell({ policy: { version: 2, defaultAction: 'DENY', rules: [] } }, two.a);
    const late = two.a.events.length;
    two.tell(
      { outside: { asks: true, remotes: [{ ...remoteB(two), ips: ['192.0.2.9'] }] } },
      two.a,
    );
    answer(two, true);
    expect(await readAll(other)).toBe('ECONNRESET');
    await until(() => expect(two.a.events.slice(late)).toMatchObject([{ reason: 'policy' }]));
  });

  it('is refused where it is nobody’s, as are the next ones for some seconds without a question', async () => {
    const two = await unfollowed();
    const nowhere = { address: '192.0.2.1', port: 80 };
    const app = await two.a.connect(nowhere);
    await isAsked(two);
    answer(two, false);
    expect(await readAll(app)).toBe('ECONNRESET');
    expect(await readAll(await two.a.connect(nowhere))).toBe('ECONNRESET');
    expect(two.a.asked).toHaveLength(1);
    const detail = 'no agent serves 192.0.2.1';
    await until(() => expect(refusals(two)).toMatchObject([{ detail }, { detail }]));
    expect(two.a.count('refused.no-agent')).toBe(2);
    two.clock.skip(3000);
    const later = await two.a.connect(nowhere);
    await isAsked(two, 2);
    later.destroy();
  });

  it('is refused when no answer comes in time, and a late one changes nothing', async () => {
    const two = await unfollowed({ unmeshed: 'plain' });
    const destination = await two.serve((socket) => socket.end('never'));
    const app = await two.a.connect(destination);
    await isAsked(two);
    two.clock.skip(ANSWER_WITHIN_MS);
    expect(await readAll(app)).toBe('ECONNRESET');
    answer(two, false);
    const detail: unknown = expect.stringMatching(NOT_LEARNED);
    await until(() => expect(refusals(two)).toMatchObject([{ reason: 'no-agent', detail }]));
    expect(two.a.count('plainOut')).toBe(0);
  });

  it('goes on without an answer where a snapshot has its address by then', async () => {
    const two = await unfollowed();
    const app = await two.a.connect(await two.serve((socket) => socket.end('carried')));
    await isAsked(two);
    follow(two);
    two.clock.skip(ANSWER_WITHIN_MS);
    expect(String(await readAll(app.end()))).toBe('carried');
  });

  it('is refused, and not reached in the clear, where that could not be found out or is not told', async () => {
    const two = await unfollowed({ unmeshed: 'plain' });
    const server = await outsider('127.9.0.2');
    for (const [index, isKnown] of [true, undefined].entries()) {
      const app = await two.a.connect(server);
      await isAsked(two, index + 1);
      answer(two, isKnown);
      expect(await readAll(app)).toBe('ECONNRESET');
    }
    server.close();
    const detail: unknown = expect.stringMatching(NOT_LEARNED);
    await until(() => expect(refusals(two)).toMatchObject([{ detail }, { detail }]));
    expect(two.a.count('plainOut')).toBe(0);
  });

  it('is made in the clear where it is nobody’s and all such are, and not before that is said', async () => {
    const two = await unfollowed({ unmeshed: 'plain' });
    const server = await outsider('127.9.0.3');
    const app = await two.a.connect(server);
    await isAsked(two);
    expect(two.a.count('plainOut')).toBe(0);
    answer(two, false);
    expect(String(await readAll(app.end()))).toBe('in the clear');
    server.close();
    expect(two.a.count('plainOut')).toBe(1);
  });

  it('is made in the clear at once where its range is named', async () => {
    const two = await unfollowed({ unmeshedExcept: [{ network: '127.9.0.0/24', ports: [] }] });
    const server = await outsider('127.9.0.4');
    expect(String(await readAll((await two.a.connect(server)).end()))).toBe('in the clear');
    server.close();
    expect(two.a.asked).toEqual([]);
  });

  it('is not asked for where all nodes are known', async () => {
    const two = await world();
    expect(await readAll(await two.a.connect({ address: '192.0.2.1', port: 80 }))).toBe(
      'ECONNRESET',
    );
    expect(two.a.asked).toEqual([]);
  });

  it('that its application gives up frees all there was for it', async () => {
    const two = await unfollowed();
    const limits = {
      perPodLanes: 1,
      perPodOpeningsPerSecond: 1000,
      perPeerLanes: 10,
      perPeerOpeningsPerSecond: 1000,
      halfClosedMs: 60_000,
    };
    two.tell({ limits }, two.a);
    const nowhere = { address: '192.0.2.1', port: 80 };
    const first = await two.a.connect(nowhere);
    await isAsked(two);
    expect(await readAll(await two.a.connect(nowhere))).toBe('ECONNRESET');
    expect(two.a.count('refused.pod-limit')).toBe(1);
    first.resetAndDestroy();
    let next: Socket | undefined;
    await vi.waitFor(async () => {
      if (next === undefined || next.destroyed) next = await two.a.connect(nowhere);
      expect(two.a.asked).toHaveLength(2); // the seat is free, and the question was over
    }, WAIT);
    const stale = two.a.asked[0]?.id ?? 0;
    two.a.worker.handle({ type: 'whereabouts', id: stale, isKnown: true });
    expect(refusals(two).every(({ reason }) => reason === 'pod-limit')).toBe(true);
    const heard = next && readAll(next);
    answer(two, false);
    expect(await heard).toBe('ECONNRESET');
    expect(two.a.count('refused.no-agent')).toBe(1);
  });

  it('is waited for by a drain', async () => {
    const two = await unfollowed();
    const app = await two.a.connect(await two.serve((socket) => socket.end('carried')));
    await isAsked(two);
    two.a.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    two.a.turn();
    two.a.turn();
    expect(two.a.drained).toBe(0);
    follow(two);
    answer(two, true);
    expect(String(await readAll(app.end()))).toBe('carried');
    await until(() => expect(two.a.drained).toBeGreaterThan(0));
  });

  it('is asked for again by another control plane', async () => {
    const two = await unfollowed();
    const app = await two.a.connect(await two.serve((socket) => socket.end('carried')));
    await isAsked(two);
    two.a.worker.handle({ type: 'succeeded' });
    expect(two.a.asked).toHaveLength(2);
    follow(two);
    answer(two, true);
    expect(String(await readAll(app.end()))).toBe('carried');
  });
});

describe('a connection to a service', () => {
  const SERVICE: Endpoint = { address: '10.96.0.1', port: 80 };
  const leadingTo = (...endpoints: Endpoint[]): readonly Service[] => [
    {
      name: 'ns/service',
      ips: [SERVICE.address],
      isSticky: false,
      ports: [{ port: SERVICE.port, endpoints }],
    },
  ];

  it('goes to the endpoint that it waited for', async () => {
    const two = await unfollowed();
    const here = await two.serve((socket) => socket.end('there'));
    const services = leadingTo(here, ...addressesBeside(here, 20));
    two.tell({ outside: { asks: true, peers: [], remotes: [], services } }, two.a);
    const app = await two.a.connect(SERVICE);
    await isAsked(two);
    // Whichever was chosen, that one turns out to be the pod of node b.
    const [chosen] = asked(two);
    const remotes = [{ ...remoteB(two), ips: [chosen ?? ''] }];
    follow(two, { services, remotes });
    answer(two, true);
    app.end();
    const heard = await readAll(app);
    expect(two.a.asked).toHaveLength(1);
    if (chosen === here.address) expect(String(heard)).toBe('there');
    const endpoint = `${chosen}:${here.port}`;
    await until(() => expect(two.a.events).toMatchObject([{ endpoint, peer: two.b.name }]));
  });

  it('goes on to another endpoint where the first is nobody’s, and is refused where all are', async () => {
    const two = await unfollowed();
    const here = await two.serve((socket) => socket.end('there'));
    const others = addressesBeside(here, 3);
    const services = leadingTo(...others, here);
    follow(two, { services });
    const served = await two.a.connect(SERVICE);
    let answered = 0;
    await until(() => {
      if (two.a.asked.length > answered) answer(two, false);
      answered = Math.min(answered + 1, two.a.asked.length);
      expect(two.a.count('lanesOpenedOut')).toBe(1);
    });
    expect(String(await readAll(served.end()))).toBe('there');
    two.tell({ outside: { asks: true, services: leadingTo(...others) } }, two.a);
    two.clock.skip(3000);
    const before = two.a.asked.length;
    const lost = await two.a.connect(SERVICE);
    for (let turn = 1; turn <= others.length; turn += 1) {
      await isAsked(two, before + turn);
      answer(two, false);
    }
    expect(await readAll(lost)).toBe('ECONNRESET');
    expect(two.a.count('refused.no-endpoint')).toBe(1);
    expect(new Set(asked(two).slice(before)).size).toBe(others.length);
  });

  it('goes to an endpoint that is known where no more may be asked for', async () => {
    const two = await unfollowed();
    const destination = await two.serve((socket) => socket.end('carried'));
    const scanned = Array.from({ length: 256 }, (_, i) => ({
      address: `198.51.100.${i}`,
      port: 9,
    }));
    const scans: Socket[] = [];
    for (const address of scanned) {
      scans.push(await two.a.connect(address));
      two.a.turn(); // accepted before the next one goes elsewhere
    }
    await isAsked(two, 256);
    const services = leadingTo({ address: '192.0.2.1', port: 80 }, destination);
    follow(two, { services });
    for (let n = 0; n < 8; n += 1) {
      const app = await two.a.connect(SERVICE); // either endpoint is the first choice of some
      const heard = await readAll(app.end());
      expect(['carried', 'ECONNRESET']).toContain(String(heard));
    }
    expect(two.a.asked).toHaveLength(256);
    for (const scan of scans) scan.destroy();
    const detail: unknown = expect.stringMatching(/^too many addresses/);
    for (const refusal of refusals(two)) expect(refusal).toMatchObject({ detail });
    expect(two.a.count('lanesOpenedOut') + refusals(two).length).toBe(8);
    expect(two.a.count('lanesOpenedOut')).toBeGreaterThan(0);
  });

  it('gives up when its time is over, however many endpoints are left', async () => {
    const two = await unfollowed({
      services: leadingTo(...addressesBeside({ address: '', port: 80 }, 20)),
    });
    const app = await two.a.connect(SERVICE);
    for (let turn = 1; turn <= 3; turn += 1) {
      await isAsked(two, turn);
      two.clock.skip(ANSWER_WITHIN_MS / 3 + 1);
      answer(two, false);
    }
    expect(await readAll(app)).toBe('ECONNRESET');
    expect(two.a.asked).toHaveLength(3);
    await until(() => expect(refusals(two)).toMatchObject([{ reason: 'no-agent' }]));
  });
});

const remoteB = ({ b }: TwoNodes) => ({
  uid: b.podUid,
  node: b.name,
  spiffeId: b.spiffeId,
  ips: [b.podIp],
});

/** Addresses where nobody is, at the same port. */
const addressesBeside = ({ port }: Endpoint, count: number): Endpoint[] =>
  Array.from({ length: count }, (_, i) => ({ address: `192.0.2.${i + 1}`, port }));
