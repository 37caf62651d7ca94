import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { slotAt, type Sid } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { idle, opened, readAll, until, world } from './lane.fixture.ts';
import { testChain } from './chain.fixture.ts';

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
    expect(two.a.events.map(({ kind }) => kind)).toEqual(['closed']);
    expect(two.a.events[0]?.reason).toBe('clean');
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
      const chunk = randomBytes(2 << 20); // in all more than every socket buffer on the way holds
      sent.push(chunk);
      app.write(chunk);
      await new Promise(setImmediate);
      two.skipSlots(1);
    }
    expect(app.writableLength).toBeGreaterThan(0); // held back all the way to the application
    resume();
    app.end();
    expect(((await heard[0]) as Buffer).equals(Buffer.concat(sent))).toBe(true);
    expect(two.a.count('keyUpdates')).toBeGreaterThan(2);
    app.destroy();
  });

  /** An open lane, echoing, whose node a has turned to a chain that node b has not been told of. */
  async function ahead() {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    expect(String((await once(app, 'data'))[0])).toBe('one');
    two.tell({ chains: [testChain(10_000, 1, 2), ...two.view.chains] }, two.a);
    two.clock.skip(10_000);
    const said = readAll(app);
    app.write('two');
    await until(() => expect(two.a.count('keyUpdates')).toBe(1));
    for (let turn = 0; turn < 5; turn += 1) two.b.turn();
    expect(two.b.count('bytesIn')).toBe(3);
    return { two, app, said };
  }

  it('what was sealed under keys that the other end gets only later', async () => {
    const { two, app, said } = await ahead();
    app.write(', three');
    two.tell();
    await until(() => expect(two.b.count('bytesIn')).toBe('onetwo, three'.length));
    app.end('.');
    expect(String(await said)).toBe('two, three.');
    await idle(two);
    expect(two.a.events).toMatchObject([{ kind: 'closed', reason: 'clean' }]);
  });

  it('nothing under keys that the other end never gets, and is cut', async () => {
    const { two, said } = await ahead();
    two.clock.skip(2000);
    expect(await said).toBe('ECONNRESET');
    await idle(two);
    expect(two.b.count('bytesIn')).toBe(3);
    expect(two.b.events).toMatchObject([{ kind: 'closed', reason: 'keys', detail: 'update' }]);
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
    two.tell();
    two.a.turn();
    expect(two.a.count('keyUpdates')).toBe(1); // not before the peer had time to hear of them
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
    const slot = (): number => slotAt(two.clock.wallMs(), 10_000);
    const first = slot();
    const destination = await two.serve((socket) => socket.end('x'));
    for (let n = 0; n < 100; n += 1) {
      const app = await two.a.connect(destination);
      app.end();
      expect(String(await readAll(app))).toBe('x');
    }
    expect(two.b.count('lanesOpenedIn')).toBe(100);
    // A slot may have ended meanwhile, and each has its own token.
    expect(two.b.verifications).toBeLessThanOrEqual(2 * (1 + slot() - first));
  });
});
