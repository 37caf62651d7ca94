import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { idle, readAll, world } from './lane.fixture.ts';

describe('Relay', () => {
  it('carries megabytes byte-exact between pods of one node, held back by a slow reader', async () => {
    const two = await world();
    const received = createHash('sha256');
    const destination = await two.serve((socket) => {
      socket.on('data', (chunk: Buffer) => {
        received.update(chunk);
        socket.pause();
        setImmediate(() => socket.resume());
      });
      socket.on('end', () => socket.end('done'));
    });
    const app = await two.b.connect(destination);
    const input = randomBytes(16 << 20);
    app.end(input);
    expect(String(await readAll(app))).toBe('done');
    expect(received.digest('hex')).toBe(createHash('sha256').update(input).digest('hex'));
    await idle(two);
    expect(two.b.count('bytesOut')).toBe(input.length);
    expect(two.b.events).toMatchObject([
      { kind: 'closed', reason: 'clean', direction: 'local', bytesOut: input.length, bytesIn: 4 },
    ]);
  });

  it('makes a reset of either side a reset of the other', async () => {
    const two = await world();
    const servers: Socket[] = [];
    const ends: Promise<Buffer | string>[] = [];
    const destination = await two.serve((socket) => {
      servers.push(socket);
      ends.push(readAll(socket));
      socket.write('up');
    });
    const first = await two.b.connect(destination);
    await once(first, 'data');
    first.resetAndDestroy();
    expect(await ends[0]).toBe('ECONNRESET');
    const second = await two.b.connect(destination);
    await once(second, 'data');
    const end = readAll(second);
    servers[1]?.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
    await idle(two);
    expect(two.b.events.map(({ reason }) => reason)).toEqual([
      'application-reset',
      'destination-reset',
    ]);
  });

  it('is cut when the policy no longer allows it', async () => {
    const two = await world();
    const destination = await two.serve((socket) => void socket.write('up'));
    const app = await two.b.connect(destination);
    await once(app, 'data');
    const end = readAll(app);
    two.tell({ policy: { version: 2, defaultAction: 'DENY', rules: [] } });
    expect(await end).toBe('ECONNRESET');
    await idle(two);
    expect(two.b.events.map(({ reason }) => reason)).toEqual(['policy']);
    expect(two.b.count('closed.policy')).toBe(1);
  });
});
