// What somebody on the path and strangers at the lane port can do: nothing.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { idle, onPath, readAll, until, world } from './lane.fixture.ts';

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
    expect(two.a.events.at(-1)).toMatchObject({ reason: 'truncated', detail: 'between frames' });
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
    await until(() => {
      two.clock.skip(1000);
      expect(two.b.count('strangers')).toBeGreaterThanOrEqual(inOpening);
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
