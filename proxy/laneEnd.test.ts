// Which connections are refused, which live lanes are cut, and how a worker drains.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { encodeFrame } from './channel.ts';
import { idle, onPath, readAll, until, world } from './lane.fixture.ts';
import { ALLOW_ALL, type TwoNodes } from './twoNodes.fixture.ts';

describe('a connection is refused', () => {
  const refusedWith = async (two: TwoNodes, node: 'a' | 'b', reason: string) => {
    const destination = await two.serve((socket) => socket.end('must not be seen'));
    const app = await two.a.connect(destination);
    expect(await readAll(app)).toBe('ECONNRESET');
    await until(() => expect(two[node].events.map((event) => event.reason)).toContain(reason));
    await idle(two);
  };
  const deny = { ...ALLOW_ALL, version: 2, rules: [] };

  it('by the policy of its own node', async () => {
    const two = await world();
    two.tell({ policy: deny });
    await refusedWith(two, 'a', 'policy');
  });

  it('by the policy of the other node, which says so', async () => {
    const two = await world();
    const allowing = two.snapshot(two.a, two.b);
    two.tell({ policy: deny });
    two.a.worker.handle({
      type: 'snapshot',
      frame: encodeFrame({ type: 'snapshot', snapshot: allowing }),
    });
    await refusedWith(two, 'b', 'policy');
    expect(two.a.events.map(({ reason, detail }) => `${reason} ${detail}`)).toContain(
      'peer-denied policy',
    );
  });

  it('where no agent serves the destination', async () => {
    const two = await world();
    const app = await two.a.connect({ address: '192.0.2.1', port: 80 });
    expect(await readAll(app)).toBe('ECONNRESET');
    expect(two.a.count('refused.no-agent')).toBe(1);
  });

  it('where the pod has no server', async () => {
    const two = await world();
    const app = await two.a.connect({ address: two.b.podIp, port: 1 });
    expect(await readAll(app)).toBe('ECONNRESET');
    await until(() => expect(two.b.count('refused.pod-unreachable')).toBe(1));
    expect(two.a.events.at(-1)?.detail).toBe('unreachable');
  });

  it('when the peer does not answer within a slot', async () => {
    const two = await world();
    await onPath(two, (near) => near.resume());
    const app = await two.a.connect({ address: two.b.podIp, port: 1 });
    const end = readAll(app);
    await until(() => expect(two.a.count('active')).toBe(1));
    two.clock.skip(10_000);
    expect(await end).toBe('ECONNRESET');
    expect(two.a.count('refused.peer-silent')).toBe(1);
    await idle(two);
  });

  it('when the peer cannot be reached', async () => {
    const two = await world();
    two.detour = 1;
    two.tell();
    await refusedWith(two, 'a', 'peer-unreachable');
  });

  it('while the own node is not trusted', async () => {
    const two = await world();
    two.tell({ trusted: false });
    await refusedWith(two, 'a', 'not-trusted');
  });

  it('when it was not redirected', async () => {
    const two = await world();
    two.a.destination = undefined;
    const app = connect({ port: two.a.outPort, host: '127.0.0.1' });
    await readAll(app);
    expect(two.a.count('refused.not-redirected')).toBe(1);
  });
});

describe('a live lane is cut', () => {
  it.each([
    [
      'when the policy no longer allows it',
      { policy: { ...ALLOW_ALL, version: 2, rules: [] } },
      'policy',
    ],
    ['when the own node is no longer trusted', { trusted: false }, 'trust'],
    ['when the peer is no longer attested', { peers: false }, 'trust'],
  ])('%s', async (_when, change, reason) => {
    const two = await world();
    const ends: Promise<Buffer | string>[] = [];
    const destination = await two.serve(
      (socket) => ends.push(readAll(socket)) && socket.write('up'),
    );
    const app = await two.a.connect(destination);
    await once(app, 'data');
    const end = readAll(app);
    two.tell(change);
    expect(await end).toBe('ECONNRESET');
    expect(await ends[0]).toBe('ECONNRESET');
    await idle(two);
    expect(two.a.events).toMatchObject([{ kind: 'closed', reason, bytesIn: 2 }]);
  });

  it('even while a slow reader holds it back', async () => {
    const two = await world({ onlySkips: true });
    const destination = await two.serve((socket) => socket.resume().end(Buffer.alloc(6 << 20)));
    const app = await two.a.connect(destination);
    app.pause().end();
    await until(() => expect(two.b.count('bytesOut')).toBe(6 << 20));
    two.tell({ trusted: false });
    await idle(two);
    app.destroy();
  });

  it('and not otherwise: a new policy that still allows it leaves it alone', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    await once(app, 'data');
    two.tell({ policy: { ...ALLOW_ALL, version: 2 } });
    app.write('two');
    expect(String((await once(app, 'data'))[0])).toBe('two');
    app.destroy();
  });
});

describe('drain', () => {
  it('lets live lanes end by themselves and accepts no new connection', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    await once(app, 'data');
    two.a.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    const late = connect({ port: two.a.outPort, host: '127.0.0.1' });
    expect(await readAll(late)).toBe('ECONNREFUSED');
    app.write('two');
    expect(String((await once(app, 'data'))[0])).toBe('two');
    expect(two.a.drained).toBe(0);
    app.end();
    await until(() => expect(two.a.drained).toBe(1));
  });

  it('waits for a connection that is not yet a lane', async () => {
    const two = await world({ withholdsSockets: true });
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.end('one');
    await until(() => expect(two.a.count('active')).toBe(1));
    await until(() => expect(two.b.count('strangersOpen')).toBe(0));
    two.b.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    two.b.turn();
    expect(two.b.drained).toBe(0);
    for (const give of two.b.withheld?.splice(0) ?? []) give();
    expect(String(await readAll(app))).toBe('one');
    await until(() => expect(two.b.drained).toBeGreaterThan(0));
  });

  /** Node b accepts what somebody on the path lets through only later. */
  async function delayed() {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const letThrough: (() => void)[] = [];
    await onPath(two, (near, far) => {
      near.once('data', (first) => {
        near.pause();
        letThrough.push(() => {
          far.write(first);
          near.pipe(far);
        });
      });
      far.on('data', (bytes) => near.write(bytes));
      far.on('close', () => near.destroy());
      near.on('close', () => far.destroy());
    });
    const app = await two.a.connect(destination);
    app.write('word');
    await until(() => expect([letThrough.length, two.b.count('strangersOpen')]).toEqual([1, 1]));
    return { two, app, letThrough: () => letThrough[0]?.() };
  }

  it('waits for an opening that may be on its way on a connection it has accepted', async () => {
    const { two, app, letThrough } = await delayed();
    two.b.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    two.b.turn();
    expect(two.b.drained).toBe(0);
    letThrough();
    expect(String((await once(app, 'data'))[0])).toBe('word');
    expect(two.b.drained).toBe(0);
    app.destroy();
    await until(() => expect(two.b.drained).toBeGreaterThan(0));
  });

  it.each([
    ['two seconds', 60_000, 2000],
    ['its deadline', 1000, 1000],
  ])('waits for that no longer than %s', async (_long, deadlineMs, skipMs) => {
    const { two } = await delayed();
    two.b.worker.handle({ type: 'drain', deadlineMs });
    two.b.turn();
    expect(two.b.drained).toBe(0);
    two.clock.skip(skipMs);
    await until(() => expect(two.b.drained).toBeGreaterThan(0));
    expect(two.b.count('strangersOpen')).toBe(1);
  });

  it('cuts what is on its way when its deadline is over', async () => {
    const two = await world({ withholdsSockets: true });
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    await until(() => expect(two.b.withheld).toHaveLength(1));
    await until(() => expect(two.b.count('strangersOpen')).toBe(0));
    two.b.worker.handle({ type: 'drain', deadlineMs: 1000 });
    two.clock.skip(1000);
    await until(() => expect(two.b.drained).toBeGreaterThan(0));
    for (const give of two.b.withheld?.splice(0) ?? []) give();
    expect(await readAll(app)).toBe('ECONNRESET');
    await idle(two);
  });

  it('ends what is left at its deadline', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    await once(app, 'data');
    const end = readAll(app);
    two.a.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    two.clock.skip(60_000);
    expect(await end).toBe('ECONNRESET');
    await until(() => expect(two.a.drained).toBe(1));
  });
});

describe('a lane whose one direction has ended', () => {
  it.each(['client', 'server'])('is reset by its %s all the same', async (who) => {
    const two = await world();
    const pods: Socket[] = [];
    const destination = await two.serve((socket) => pods.push(socket));
    const app = await two.a.connect(destination);
    app.write('question');
    await until(() => expect(pods).toHaveLength(1));
    const [pod] = pods;
    if (!pod) throw new Error('no connection');
    const [ending, other] = who === 'client' ? [app, pod] : [pod, app];
    ending.end();
    other.resume();
    await once(other, 'end');
    other.write('answer');
    await once(ending, 'data');
    ending.resetAndDestroy();
    await until(() => {
      other.write('more');
      expect(other.errored).not.toBeNull();
    });
    await idle(two);
    expect(two.a.events.map(({ reason }) => reason)).not.toContain('clean');
  });
});

describe('what was said before the end of a lane arrives before the reset, though both come at once', () => {
  it.each(['a reset of the other end', 'a cut on the path', 'a frame that was changed'])(
    'by %s',
    async (how) => {
      const two = await world();
      const nears: Socket[] = [];
      const held: Buffer[] = [];
      let isHeld = false;
      await onPath(two, (near, far) => {
        nears.push(near);
        near.on('data', (bytes) => far.write(bytes));
        near.on('close', () => far.destroy());
        far.on('data', (bytes: Buffer) => {
          if (isHeld) held.push(bytes);
          else near.write(bytes);
        });
      });
      const pods: Socket[] = [];
      const destination = await two.serve((socket) => {
        pods.push(socket);
        socket.write('up');
      });
      const app = await two.a.connect(destination);
      await once(app, 'data');
      isHeld = true;
      pods[0]?.write('413 too large');
      await until(() => expect(held).toHaveLength(1));
      if (how === 'a reset of the other end') {
        pods[0]?.resetAndDestroy();
        await until(() => expect(held).toHaveLength(2));
      } else if (how === 'a frame that was changed') held.push(Buffer.alloc(100));
      const chunks: Buffer[] = [];
      app.on('data', (bytes: Buffer) => chunks.push(bytes));
      nears[0]?.end(Buffer.concat(held));
      await once(app, 'error');
      expect(app.errored).toMatchObject({ code: 'ECONNRESET' });
      expect(String(Buffer.concat(chunks))).toBe('413 too large');
      await idle(two);
    },
  );
});
