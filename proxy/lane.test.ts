import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Sid } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { ALLOW_ALL, TwoNodes, testChain } from './twoNodes.fixture.ts';

const worlds: { close(): void }[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

async function world(options: { readonly periodMs?: number; readonly algorithm?: number } = {}) {
  const made = new TwoNodes(options);
  worlds.push(made);
  await made.start();
  return made;
}

/** Everything the socket says until its end, or the code of the error that cut it. */
async function readAll(socket: Socket): Promise<Buffer | string> {
  if (socket.errored) return (socket.errored as NodeJS.ErrnoException).code ?? 'error';
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    socket.once('end', () => resolve(Buffer.concat(chunks)));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
}
const until = (claim: () => void) => vi.waitFor(claim, { timeout: 10_000, interval: 5 });
const opened = (two: TwoNodes) => until(() => expect(two.a.count('lanesOpenedOut')).toBe(1));
const idle = async (two: TwoNodes) => {
  await until(() => expect([two.a.count('active'), two.b.count('active')]).toEqual([0, 0]));
};

/** Somebody on the path between node a and node b, who may read, change or cut. */
async function onPath(two: TwoNodes, each: (near: Socket, far: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: two.b.lanePort, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [near, far]) socket.on('error', () => undefined);
    each(near, far);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  worlds.push({ close: () => void server.close() });
  const address = server.address();
  two.detour = address !== null && typeof address !== 'string' ? address.port : 0;
  two.tell();
  return server;
}

describe('a lane carries', () => {
  it('bytes both ways and half-closes in either order', async () => {
    const two = await world();
    const destination = await two.serve((socket) => {
      void readAll(socket).then((request) =>
        socket.end(Buffer.concat([Buffer.from('re: '), request as Buffer])),
      );
    });
    const app = await two.a.connect(destination);
    app.end('question');
    expect(String(await readAll(app))).toBe('re: question');
    await idle(two);
    expect(two.a.count('lanesOpenedOut')).toBe(1);
    expect(two.b.count('lanesOpenedIn')).toBe(1);
    expect(two.a.events.map(({ kind }) => kind)).toEqual(['opened', 'closed']);
    expect(two.a.events[1]?.detail).toBe('clean');
  });

  it('what a server says first, and its half-close before the client has said anything', async () => {
    const two = await world();
    const heard: Promise<Buffer | string>[] = [];
    const destination = await two.serve((socket) => {
      socket.end('banner');
      heard.push(readAll(socket));
    });
    const app = await two.a.connect(destination);
    expect(String(await readAll(app))).toBe('banner');
    app.end('thanks');
    expect(String(await heard[0])).toBe('thanks');
    await idle(two);
  });

  it.each([
    ['AES-256-GCM', 1],
    ['ChaCha20-Poly1305', 17],
    ['AES-256-GCM-SIV', 33],
  ])(
    'megabytes byte-exact under %s while slots, chains and statements change',
    async (_name, algorithm) => {
      const two = await world({ algorithm });
      const destination = await two.serve((socket) => socket.pipe(socket));
      const app = await two.a.connect(destination);
      await opened(two);
      const [sent, received] = [createHash('sha256'), createHash('sha256')];
      let length = 0;
      app.on('data', (chunk: Buffer) => {
        received.update(chunk);
        length += chunk.length;
      });
      const ended = once(app, 'end');
      const total = algorithm === 33 ? 4 : 32;
      for (let n = 0; n < total; n += 1) {
        const chunk = randomBytes(1 << 20);
        sent.update(chunk);
        if (!app.write(chunk)) await once(app, 'drain');
        if (n % 2 === 0) two.skipSlots(1);
        if (n === 1) two.tell({ chains: [testChain(10_000, 2, 2), ...two.view.chains] });
        if (n === 2) two.a.sid = hex(randomBytes(16)) as Sid;
        if (n % 4 === 3) await until(() => expect(length).toBeGreaterThan((n - 1) << 20));
      }
      app.end();
      await ended;
      expect(length).toBe(total << 20);
      expect(received.digest('hex')).toBe(sent.digest('hex'));
      expect(two.a.count('keyUpdates')).toBeGreaterThan(1);
      expect(two.b.count('keyUpdates')).toBeGreaterThan(1);
      expect(two.a.count('bytesOut')).toBe(length);
      expect(two.b.count('bytesIn')).toBe(length);
      await idle(two);
    },
  );

  it('a stalled reader over more slots than any key is accepted', async () => {
    const two = await world();
    let resume: () => void = () => undefined;
    const heard: Promise<Buffer | string>[] = [];
    const destination = await two.serve((socket) => {
      resume = () => heard.push(readAll(socket));
    });
    const app = await two.a.connect(destination);
    await opened(two);
    const sent: Buffer[] = [];
    for (let slot = 0; slot < 20; slot += 1) {
      const chunk = randomBytes(1 << 20);
      sent.push(chunk);
      app.write(chunk);
      await new Promise(setImmediate);
      two.skipSlots(1);
    }
    expect(app.writableLength).toBeGreaterThan(0); // held back all the way to the application
    resume();
    app.end();
    expect((await heard[0]) as Buffer).toEqual(Buffer.concat(sent));
    expect(two.a.count('keyUpdates')).toBeGreaterThan(2);
    app.destroy();
  });

  it('an idle lane over slots, a new generation and new statements of both ends', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    expect(String((await once(app, 'data'))[0])).toBe('one');
    two.skipSlots(3);
    await until(() => expect(two.a.count('keyUpdates')).toBe(1)); // idle: once, not each slot
    two.a.sid = hex(randomBytes(16)) as Sid;
    two.b.sid = hex(randomBytes(16)) as Sid;
    two.skipSlots(1);
    await until(() =>
      expect([two.a.count('keyUpdates'), two.b.count('keyUpdates')]).toEqual([2, 2]),
    );
    two.tell({ chains: [testChain(10_000, 17, 2), ...two.view.chains] });
    two.skipSlots(1);
    await until(() =>
      expect([two.a.count('keyUpdates'), two.b.count('keyUpdates')]).toEqual([3, 3]),
    );
    app.write('two');
    expect(String((await once(app, 'data'))[0])).toBe('two');
    app.destroy();
    await idle(two);
  });

  it('resets of either application to the other', async () => {
    const two = await world();
    const ends: Promise<Buffer | string>[] = [];
    const sockets: Socket[] = [];
    const destination = await two.serve((socket) => {
      sockets.push(socket);
      ends.push(readAll(socket));
      socket.write('up');
    });
    const first = await two.a.connect(destination);
    await once(first, 'data');
    first.resetAndDestroy();
    expect(await ends[0]).toBe('ECONNRESET');
    const second = await two.a.connect(destination);
    await once(second, 'data');
    const end = readAll(second);
    sockets[1]?.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
    await idle(two);
  });

  it('a connection within the node without a lane, with both identities judged', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.b.connect(destination);
    app.end('local');
    expect(String(await readAll(app))).toBe('local');
    await idle(two);
    expect(two.b.count('lanesSameNode')).toBe(1);
    expect(two.b.count('lanesOpenedOut')).toBe(0);
  });

  it('one verification of each signature for a hundred lanes', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.end('x'));
    for (let n = 0; n < 100; n += 1) {
      const app = await two.a.connect(destination);
      app.end();
      expect(String(await readAll(app))).toBe('x');
    }
    expect(two.b.count('lanesOpenedIn')).toBe(100);
    expect(two.b.verifications).toBe(2);
  });
});

describe('somebody on the path', () => {
  it('who cuts the lane in mid-stream makes a reset of it, never a clean end', async () => {
    const two = await world();
    const heard: Promise<Buffer | string>[] = [];
    const destination = await two.serve(
      (socket) => heard.push(readAll(socket)) && socket.write('up'),
    );
    const nears: Socket[] = [];
    const fars: Socket[] = [];
    await onPath(two, (near, far) => {
      nears.push(near);
      fars.push(far);
      near.pipe(far);
      far.pipe(near);
    });
    const app = await two.a.connect(destination);
    await once(app, 'data');
    const end = readAll(app);
    nears[0]?.end(); // a FIN of TCP with no FIN of the lane before it
    fars[0]?.end();
    expect(await end).toBe('ECONNRESET');
    expect(await heard[0]).toBe('ECONNRESET');
    await idle(two);
    expect(two.a.events.at(-1)?.detail).toBe('truncated: between frames');
  });

  it('who changes any later byte gets nothing delivered and nothing answered', async () => {
    const two = await world();
    const heard: Promise<Buffer | string>[] = [];
    const destination = await two.serve(
      (socket) => heard.push(readAll(socket)) && socket.write('up'),
    );
    let isChanging = false;
    let answered = 0;
    await onPath(two, (near, far) => {
      far.on('data', (bytes: Buffer) => {
        if (isChanging) answered += bytes.length;
        near.write(bytes);
      });
      near.on('data', (bytes: Buffer) => {
        if (isChanging) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        far.write(bytes);
      });
      far.on('close', () => near.destroy());
      near.on('close', () => far.destroy());
    });
    const app = await two.a.connect(destination);
    await once(app, 'data');
    isChanging = true;
    app.write('transfer 100');
    expect(await heard[0]).toBe('ECONNRESET');
    expect(answered).toBe(0);
    await idle(two);
    expect(two.b.count('forgedFrames')).toBe(1);
  });

  it('who replays a recorded opening gets not a byte, and nothing is delivered twice', async () => {
    const two = await world();
    let served = 0;
    const destination = await two.serve((socket) => {
      served += 1;
      socket.pipe(socket);
    });
    const recorded: Buffer[] = [];
    await onPath(two, (near, far) => {
      near.on('data', (bytes: Buffer) => recorded.push(Buffer.from(bytes)));
      near.pipe(far);
      far.pipe(near);
    });
    const app = await two.a.connect(destination);
    app.end('pay once');
    expect(String(await readAll(app))).toBe('pay once');
    const replayer = connect({ port: two.b.lanePort, host: '127.0.0.1' });
    replayer.write(Buffer.concat(recorded));
    const answer = readAll(replayer);
    await until(() => expect(two.b.count('refused.replayed')).toBe(1));
    await until(() => {
      two.clock.skip(1000);
      expect(replayer.readableEnded).toBe(true);
    });
    expect(((await answer) as Buffer).length).toBe(0);
    expect(served).toBe(1);
  });

  it('who changes any byte of an opening gets not a byte, and nothing is delivered', async () => {
    const two = await world();
    let served = 0;
    const destination = await two.serve(() => {
      served += 1;
    });
    const openings: Buffer[] = [];
    await onPath(two, (near) => {
      near.on('data', (bytes: Buffer) => openings.push(Buffer.from(bytes)));
    });
    const app = await two.a.connect(destination);
    app.write('early');
    await until(() => expect(openings.length).toBeGreaterThan(0));
    const opening = openings[0] ?? Buffer.alloc(0);
    const answers: Promise<Buffer | string>[] = [];
    for (let at = 0; at < opening.length; at += 13) {
      const bad = Buffer.from(opening);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      const stranger = connect({ port: two.b.lanePort, host: '127.0.0.1' });
      stranger.write(bad);
      answers.push(readAll(stranger));
    }
    // A change behind the open block concerns a frame: that opening itself is right, and accepted once.
    const inOpening = answers.length - 2;
    await until(() => expect(two.b.count('strangers')).toBeGreaterThanOrEqual(inOpening));
    await until(() => {
      two.clock.skip(1000);
      expect(two.b.count('strangersOpen')).toBe(0);
    });
    for (const answer of answers.slice(0, inOpening)) {
      expect(((await answer) as Buffer).length).toBe(0);
    }
    expect(served).toBeLessThanOrEqual(2);
    app.destroy();
  });
});

describe('strangers', () => {
  it.each([
    ['nothing', 0],
    ['a byte', 1],
    ['an HTTP request', 400],
    ['100 kB', 100_000],
  ])('who send %s get not a byte and a FIN, never a RST', async (_what, length) => {
    const two = await world();
    const stranger = connect({ port: two.b.lanePort, host: '127.0.0.1' });
    const answer = readAll(stranger);
    if (length > 0) stranger.write(randomBytes(length));
    await until(() => {
      two.clock.skip(1000);
      expect(stranger.readableEnded).toBe(true);
    });
    expect(((await answer) as Buffer).length).toBe(0);
    await until(() => {
      two.clock.skip(1000);
      expect(two.b.count('strangersOpen')).toBe(0);
    });
  });
});

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
    const { encodeFrame } = await import('./channel.ts');
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
    ['when the policy no longer allows it', { policy: { ...ALLOW_ALL, version: 2, rules: [] } }],
    ['when the own node is no longer trusted', { trusted: false }],
    ['when the peer is no longer attested', { peers: false }],
  ])('%s', async (_when, change) => {
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
