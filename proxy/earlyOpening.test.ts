// Nodes and workers learn of the same thing some milliseconds apart: an opening under what the other end
// has not been told of yet is no noise.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import type { Sid } from '#agent/base/brands.ts';
import { idle, onPath, readAll, until, world } from './lane.fixture.ts';
import { testChain } from './chain.fixture.ts';
import type { TwoNodes } from './twoNodes.fixture.ts';

/** What node a may know before node b. */
const NEWS: Readonly<Record<string, (two: TwoNodes) => void>> = {
  'a chain': (two) => two.tell({ chains: [testChain(10_000), ...two.view.chains] }, two.a),
  'a statement of its own': (two) => {
    two.a.sid = hex(randomBytes(16)) as Sid;
    two.tell({}, two.a);
  },
};

async function echoed(two: TwoNodes, text: string) {
  const destination = await two.serve((socket) => socket.pipe(socket));
  const app = await two.a.connect(destination);
  app.end(text);
  return { destination, answer: readAll(app) };
}

describe('an opening that comes before the news it rests on', () => {
  for (const [what, tellSender] of Object.entries(NEWS)) {
    it(`waits in silence for ${what}, and opens`, async () => {
      const two = await world();
      tellSender(two);
      const { answer } = await echoed(two, 'early');
      await until(() => expect(two.b.count('strangersOpen')).toBe(1));
      two.tell({}, two.b);
      expect(String(await answer)).toBe('early');
      expect(two.b.count('strangers')).toBe(0);
      await idle(two);
    });

    it(`waits for ${what} on a connection that has carried a lane`, async () => {
      const two = await world();
      const first = await echoed(two, 'first');
      expect(String(await first.answer)).toBe('first');
      await idle(two);
      tellSender(two);
      const app = await two.a.connect(first.destination);
      app.end('second');
      const second = readAll(app);
      await until(() => expect(two.a.count('active')).toBe(1));
      two.tell({}, two.b);
      expect(String(await second)).toBe('second');
    });
  }

  it('is noise when the news does not come within two seconds', async () => {
    const two = await world();
    NEWS['a chain']?.(two);
    const { answer } = await echoed(two, 'too early');
    await until(() => expect(two.b.count('strangersOpen')).toBe(1));
    await until(() => {
      two.clock.skip(250);
      expect(two.b.count('strangers')).toBe(1);
    });
    two.tell({}, two.b);
    expect(two.b.count('lanesOpenedIn')).toBe(0);
    two.clock.skip(12_000);
    expect(await answer).toBe('ECONNRESET');
  });

  it('is kept whole, in whatever pieces it comes', async () => {
    const two = await world();
    await onPath(two, (near, far) => {
      near.on('data', (bytes: Buffer) => void inPieces(bytes, far));
      far.pipe(near);
    });
    two.tell({ chains: [testChain(10_000), ...two.view.chains] }, two.a);
    const { answer } = await echoed(two, 'x'.repeat(3000));
    await until(() => expect(two.b.count('strangersOpen')).toBe(1));
    two.tell({}, two.b);
    expect(String(await answer)).toBe('x'.repeat(3000));
  });
});

/** Each piece as a segment of its own. */
async function inPieces(bytes: Buffer, to: Socket): Promise<void> {
  to.setNoDelay();
  for (let at = 0; at < bytes.length; at += 100) {
    await new Promise((written) => to.write(bytes.subarray(at, at + 100), written));
  }
}
