// Canaries between two real workers: what they prove, what they leave untouched, and what becomes of
// those that cannot pass.
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { answerSide, CANARY_MS, isCanaryBlock } from './canary.ts';
import { COUNTER_NAMES } from './counters.ts';
import { idle, onPath, opened, until, world } from './lane.fixture.ts';
import type { TwoNodes } from './twoNodes.fixture.ts';

/** The answer of node a's worker to a canary for node b. */
async function send(two: TwoNodes) {
  const id = two.a.answers.length + 1;
  two.a.worker.handle({ type: 'canary', id, peer: two.b.name });
  await until(() => expect(two.a.answers).toHaveLength(id));
  return two.a.answers[id - 1];
}

/** Sends one to somebody who reads it and says nothing; resolves when it has arrived there. */
async function sendIntoSilence(two: TwoNodes): Promise<void> {
  let heard = 0;
  await onPath(two, (near) => near.on('data', (bytes: Buffer) => (heard += bytes.length)));
  two.a.worker.handle({ type: 'canary', id: 1, peer: two.b.name });
  await until(() => expect(heard).toBeGreaterThan(0));
}

describe('a canary', () => {
  it.each([
    ['AES-256-GCM', 1],
    ['ChaCha20-Poly1305', 17],
    ['AES-256-GCM-SIV', 33],
  ])('comes back under %s and leaves no trace in what counts traffic', async (_name, algorithm) => {
    const two = await world({ algorithm });
    const answer = await send(two);
    expect(answer).toEqual({ type: 'canary', id: 1, tookMs: expect.any(Number) });
    const counted = (node: typeof two.a): string[] =>
      COUNTER_NAMES.filter((name) => node.count(name) !== 0);
    await until(() => expect(two.b.count('strangersOpen')).toBe(0));
    expect(counted(two.a)).toEqual([]);
    expect(counted(two.b)).toEqual(['canariesAnswered']);
    expect([...two.a.events, ...two.b.events]).toEqual([]);
    expect(two.b.verifications).toBe(0);
  });

  it('that is over leaves no timer behind at either end', async () => {
    const two = await world({ onlySkips: true });
    await send(two);
    expect(two.b.count('canariesAnswered')).toBe(1);
    await until(() => expect(two.clock.waiting(CANARY_MS)).toBe(0));
  });

  it('is not among the live connections while it is under way', async () => {
    const two = await world();
    await sendIntoSilence(two);
    two.a.worker.handle({ type: 'lanes', id: 2, after: 0 });
    expect(two.a.answers).toEqual([{ type: 'lanes', id: 2, lanes: [], live: 0 }]);
  });

  it('needs no policy, but an attested peer on both sides', async () => {
    const two = await world();
    two.tell({ policy: { version: 2, defaultAction: 'DENY', rules: [] } });
    expect(await send(two)).not.toHaveProperty('failed');
    two.tell({ peers: false });
    expect(await send(two)).toMatchObject({ failed: 'the address of node-2 is not known' });
    two.tell({ peers: true, trusted: false });
    expect(await send(two)).toHaveProperty('failed');
  });

  it('fails within its time when nobody answers, and leaves nothing behind', async () => {
    const two = await world();
    await sendIntoSilence(two);
    two.clock.skip(5000);
    await until(() => expect(two.a.answers).toHaveLength(1));
    expect(two.a.answers[0]).toMatchObject({ failed: 'not back within 5000 ms' });
    await idle(two);
  });

  it('fails when the lane port refuses, when bytes change on the way, and when it is cut', async () => {
    const two = await world();
    two.detour = 1;
    two.tell();
    expect(await send(two)).toMatchObject({ failed: '127.0.0.1:1: ECONNREFUSED' });
    await onPath(two, (near, far) => {
      near.pipe(far);
      far.on('data', (bytes: Buffer) => {
        bytes[bytes.length - 1] = ~(bytes.at(-1) ?? 0);
        near.write(bytes);
      });
    });
    expect(await send(two)).toMatchObject({ failed: expect.stringMatching(/forged|peer-silent/) });
    await onPath(two, (near) => near.once('data', () => near.destroy()));
    expect(await send(two)).toMatchObject({ failed: expect.stringContaining('peer-silent') });
    expect(two.a.count('refused.peer-silent')).toBe(0);
  });

  it('is no way to a pod: a stranger who sends noise gets none, and lanes go on beside it', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const app = await two.a.connect(destination);
    app.write('one');
    await opened(two);
    const stranger = connect({ port: two.b.lanePort, host: '127.0.0.1' });
    stranger.on('error', () => undefined);
    stranger.write(Buffer.alloc(4096, 3));
    expect(await send(two)).not.toHaveProperty('failed');
    expect(two.b.count('lanesOpenedIn')).toBe(1);
    expect(two.b.count('canariesAnswered')).toBe(1);
    stranger.destroy();
    app.destroy();
    await idle(two);
  });
});

describe('the answering end of a canary', () => {
  const listening = () => {
    const side = answerSide(queueMicrotask);
    const heard: string[] = [];
    side.owner = {
      data: (bytes) => heard.push(`${bytes.length} bytes`),
      end: () => heard.push('end'),
      drained: () => undefined,
      closed: (failed) => heard.push(failed ? 'reset' : 'closed'),
    };
    return { side, heard };
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('echoes 64 bytes however they come, and closes when the other end does', async () => {
    const { side, heard } = listening();
    side.write(Buffer.alloc(60));
    side.write(Buffer.alloc(4));
    side.end();
    await settle();
    expect(heard).toEqual(['60 bytes', '4 bytes', 'end', 'closed']);
    side.write(Buffer.alloc(1));
    side.reset();
    await settle();
    expect(heard).toHaveLength(4);
  });

  it('ends a lane that would carry more', async () => {
    const { side, heard } = listening();
    for (const length of [64, 1, 9]) side.write(Buffer.alloc(length));
    await settle();
    expect(heard).toEqual(['64 bytes', 'reset']);
  });

  it('isCanaryBlock() takes only the block of nobody to nobody', () => {
    const none = Buffer.alloc(0);
    const nobody = { address: '0.0.0.0', port: 0 };
    const block = {
      token: none,
      endorsement: none,
      lineage: none,
      destination: nobody,
      client: nobody,
      sentMs: 1,
    };
    expect(isCanaryBlock(block)).toBe(true);
    for (const change of [
      { token: Buffer.alloc(1) },
      { endorsement: Buffer.alloc(1) },
      { lineage: Buffer.alloc(32) },
      { destination: { address: '10.0.0.1', port: 0 } },
      { destination: { ...nobody, port: 80 } },
      { client: { ...nobody, port: 80 } },
    ]) {
      expect(isCanaryBlock({ ...block, ...change })).toBe(false);
    }
  });
});

describe('the live connections of a worker', () => {
  it('are told in pages, each once, with what they carried', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const apps = [];
    for (let n = 0; n < 30; n += 1) apps.push(await two.a.connect(destination));
    apps[0]?.write('hello');
    await until(() => expect(two.a.count('bytesIn')).toBe(5));
    await until(() => expect(two.a.count('lanesOpenedOut')).toBe(30));
    const seen: string[] = [];
    for (let after: number | undefined = 0, id = 1; after !== undefined; id += 1) {
      two.a.worker.handle({ type: 'lanes', id, after });
      const page = two.a.answers.at(-1);
      if (page?.type !== 'lanes') throw new Error('no page');
      expect(page.live).toBe(30);
      seen.push(...page.lanes.map((lane) => lane.id));
      if (id === 1) {
        expect(page.lanes[0]).toMatchObject({
          direction: 'out',
          from: two.a.spiffeId,
          to: two.b.spiffeId,
          peer: two.b.name,
          rule: 'test/all',
          bytesOut: 5,
          bytesIn: 5,
          chain: two.view.chains[0]?.id,
          aead: 'AES-256-GCM',
          keyUpdates: 0,
        });
      }
      after = page.next;
    }
    expect(new Set(seen).size).toBe(30);
    for (const app of apps) app.resetAndDestroy();
    await idle(two);
    expect(two.a.events.at(-1)).toMatchObject({ kind: 'closed', reason: 'application-reset' });
    expect(two.a.events.map((event) => event.kind === 'closed' && event.bytesOut)).toContain(5);
    expect(two.b.events.at(-1)).toMatchObject({ reason: 'peer-reset', detail: 'application' });
  });
});
