import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { encodeFrame } from './channel.ts';
import { MAX_DATA_FRAME_BYTES, MAX_PEERS_USED } from './control.ts';
import { world, readAll, until, idle } from './lane.fixture.ts';
import { USING_EVERY_MS } from './peersInUse.ts';

describe('a worker says which peers its connections are with', () => {
  it('while they live, once more when they have ended, and then no more', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('hello');
    await until(() => expect(two.a.count('active')).toBe(1));
    expect(two.a.using).toEqual([]);
    two.clock.skip(USING_EVERY_MS);
    two.clock.skip(USING_EVERY_MS);
    expect(two.a.using).toEqual([[two.b.name], [two.b.name]]);
    expect(two.b.using).toEqual([[two.a.name], [two.a.name]]);
    const all = readAll(app);
    app.end();
    await all;
    await idle(two);
    for (let words = 0; words < 3; words += 1) two.clock.skip(USING_EVERY_MS);
    expect(two.a.using).toHaveLength(2);
  });

  it('also of one that came and went between two words', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.end('gone'));
    for (let n = 0; n < 2; n += 1) {
      const app = await two.a.connect(destination);
      app.end();
      expect(String(await readAll(app))).toBe('gone');
    }
    await idle(two);
    two.clock.skip(USING_EVERY_MS);
    two.clock.skip(USING_EVERY_MS);
    expect([two.a.using, two.b.using]).toEqual([[[two.b.name]], [[two.a.name]]]);
  });

  it('at once to another control plane', async () => {
    const two = await world();
    const destination = await two.serve(() => undefined);
    const app = await two.a.connect(destination);
    app.write('hello');
    await until(() => expect(two.a.count('lanesOpenedOut')).toBe(1));
    two.a.worker.handle({ type: 'succeeded' });
    two.a.worker.handle({ type: 'succeeded' });
    expect(two.a.using).toEqual([[two.b.name], [two.b.name]]);
    app.destroy();
  });

  it('and says nothing of a canary, nor within the node', async () => {
    const two = await world();
    two.a.worker.handle({ type: 'canary', id: 1, peer: two.b.name });
    const own = await two.a.connect(await two.serve((socket) => socket.end('here'), two.a));
    own.end();
    expect(String(await readAll(own))).toBe('here');
    await until(() => expect(two.a.answers).toMatchObject([{ type: 'canary' }]));
    expect(two.a.answers).not.toMatchObject([{ failed: expect.anything() }]);
    two.clock.skip(USING_EVERY_MS);
    expect([two.a.using, two.b.using]).toEqual([[], []]);
  });
});

it('as many peers as one word has, each of the longest name, fit into a frame', () => {
  const name = Array.from({ length: 4 }, () => 'n'.repeat(63))
    .join('.')
    .slice(0, 253) as NodeName;
  const peers = Array.from({ length: MAX_PEERS_USED }, () => name);
  expect(encodeFrame({ type: 'using', peers }).length).toBeLessThan(MAX_DATA_FRAME_BYTES);
});
