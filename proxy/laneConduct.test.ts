// What a program sees of its connection is what it would see of a direct one, over a lane between two
// nodes and over the relay within one alike.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { idle, readAll, until, world } from './lane.fixture.ts';
import { fdOf } from '#proxy/native/handle.ts';
import { libc } from '#proxy/native/libc.ts';
import type { TwoNodes } from './twoNodes.fixture.ts';

const MIB = 1 << 20;
/** More than every buffer on the way holds. */
const MUCH = 48 * MIB;
/** Looks in a row at which nothing had moved. */
const STILL_LOOKS = 8;

/** A server in node b's pod that shows its connections, and who connects to it from where. */
async function conversation(two: TwoNodes, from: 'a' | 'b') {
  const sockets: Socket[] = [];
  const destination = await two.serve((socket) => sockets.push(socket));
  const open = async (): Promise<{ readonly app: Socket; readonly server: Socket }> => {
    const known = sockets.length;
    const app = await two[from].connect(destination);
    await until(() => expect(sockets.length).toBeGreaterThan(known));
    return { app, server: sockets[known] as Socket };
  };
  return { open };
}

/** Writes until nothing on the way takes more. */
async function fill(socket: Socket, two: TwoNodes, node: 'a' | 'b'): Promise<void> {
  socket.write(Buffer.alloc(MUCH));
  let carried = -1;
  const bytes = (): number => two[node].count('bytesOut') + two[node].count('bytesIn');
  // A machine that is busy with other things stands still for a while, too.
  for (let stillFor = 0; stillFor < STILL_LOOKS; stillFor += 1) {
    if (carried < bytes()) stillFor = 0;
    carried = bytes();
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

describe.each([
  ['over a lane', 'a'],
  ['within a node', 'b'],
] as const)('%s', (_where, from) => {
  it('a connection that carries nothing begins and ends at both', async () => {
    const two = await world();
    const { open } = await conversation(two, from);
    const { app, server } = await open();
    app.end();
    expect(await readAll(server)).toEqual(Buffer.alloc(0));
    server.end();
    expect(await readAll(app)).toEqual(Buffer.alloc(0));
    await idle(two);
    expect(two[from].events).toMatchObject([{ kind: 'closed', reason: 'clean' }]);
  });

  it('both may close at the same moment', async () => {
    const two = await world();
    const { open } = await conversation(two, from);
    const { app, server } = await open();
    const ends = [readAll(app), readAll(server)];
    app.end('from the client');
    server.end('from the server');
    expect(String(await ends[0])).toBe('from the server');
    expect(String(await ends[1])).toBe('from the client');
    await idle(two);
    expect(two[from].events).toMatchObject([{ kind: 'closed', reason: 'clean' }]);
  });

  it.each(['client', 'server'])(
    'a reset of the %s is a reset, though bytes for it wait unread',
    async (who) => {
      const two = await world();
      const { open } = await conversation(two, from);
      const { app, server } = await open();
      const [near, far] = who === 'client' ? [app, server] : [server, app];
      await fill(far, two, from);
      const end = readAll(far);
      near.resetAndDestroy();
      expect(await end).toBe('ECONNRESET');
      await idle(two);
    },
  );

  it.each(['client', 'server'])(
    'a %s that closes without reading what came is a reset to the other',
    async (who) => {
      const two = await world();
      const { open } = await conversation(two, from);
      const { app, server } = await open();
      const [near, far] = who === 'client' ? [app, server] : [server, app];
      far.write(Buffer.alloc(MIB)); // more than Node takes from the kernel by itself
      const carried = who === 'client' ? 'bytesIn' : 'bytesOut';
      await until(() => expect(two[from].count(carried)).toBe(MIB));
      await new Promise((resolve) => setTimeout(resolve, 20)); // to the socket of the one that closes
      const end = readAll(far);
      near.destroy(); // close(2): the kernel sends RST for what is unread (RFC 2525 2.17)
      expect(await end).toBe('ECONNRESET');
      await idle(two);
    },
  );

  it('what was sent before a close arrives, of many that close at once', async () => {
    const two = await world();
    const heard: Promise<Buffer | string>[] = [];
    const destination = await two.serve((socket) => {
      heard.push(readAll(socket));
      socket.end();
    });
    const bytes = Buffer.alloc(300_000, 'x');
    const count = 60;
    const apps = [];
    for (let n = 0; n < count; n += 1) {
      const app = await two[from].connect(destination);
      app.end(bytes);
      apps.push(readAll(app));
    }
    for (const end of await Promise.all(apps)) expect(end).toEqual(Buffer.alloc(0));
    expect(heard).toHaveLength(count);
    for (const end of await Promise.all(heard)) expect(end.length).toBe(bytes.length);
    await idle(two);
  });

  it('who does not read holds back its own writer, bounded, and nobody else', async () => {
    const two = await world();
    const { open } = await conversation(two, from);
    const stalled = await open();
    await fill(stalled.app, two, from);
    const held = two[from].count('bytesOut');
    expect(held).toBeLessThan(MUCH); // the rest waits in the writer
    const others = 3;
    for (let n = 0; n < others; n += 1) {
      const { app, server } = await open();
      const all = readAll(server);
      app.end(Buffer.alloc(4 * MIB));
      expect((await all).length).toBe(4 * MIB);
      server.end();
      await readAll(app);
    }
    expect(two[from].count('bytesOut')).toBe(held + others * 4 * MIB);
    const ends = [readAll(stalled.server), readAll(stalled.app)];
    stalled.app.end();
    stalled.server.end('thanks');
    expect((await ends[0])?.length).toBe(MUCH);
    expect(String(await ends[1])).toBe('thanks');
    await idle(two);
  });

  it('bytes that are written one by one arrive one by one, in order', async () => {
    const two = await world();
    const { open } = await conversation(two, from);
    const { app, server } = await open();
    server.on('data', (bytes: Buffer) => server.write(bytes)).on('end', () => server.end());
    app.setNoDelay(true);
    for (let n = 0; n < 100; n += 1) {
      const answer = once(app, 'data') as Promise<[Buffer]>;
      app.write(Buffer.of(n & 0xff));
      expect((await answer)[0]).toEqual(Buffer.of(n & 0xff));
    }
    app.end();
    await idle(two);
  });

  it('an urgent byte keeps its place in the stream', async () => {
    const two = await world();
    const { open } = await conversation(two, from);
    const { app, server } = await open();
    const all = readAll(server);
    for (const [text, flags] of [
      ['before', 0],
      ['!', MSG_OOB],
      ['behind', 0],
    ] as const) {
      send(fdOf(app), Buffer.from(text), text.length, flags);
    }
    app.end();
    expect(String(await all)).toBe('before!behind');
    server.end();
    await idle(two);
  });
});

const MSG_OOB = 1;
const send: (fd: number, bytes: Buffer, length: number, flags: number) => number = libc.func(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
