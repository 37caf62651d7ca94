// Canaries in their turn: whom they go to, what is noted of them, when the next one goes.
import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { LogMethod } from '#agent/log.ts';
import type { CanaryOutcome } from '#proxy/plane.ts';
import { Canary } from './canary.ts';
import { readinessOf } from './readiness.ts';
import { statusFixture } from './status.fixture.ts';

/** A clock on which a wait is over when it is asked for `advance`; it stands still otherwise. */
function canaries(answers: Record<string, CanaryOutcome>, silent: number | 'no data plane' = 0) {
  const world = { peers: Object.keys(answers), nowMs: 5000, waits: [] as number[] };
  const sent: string[] = [];
  const events: string[] = [];
  const log: LogMethod = (event, fields) => void events.push(`${event}: ${fields?.text}`);
  const ending = new AbortController();
  let wake = (): void => undefined;
  const canary = new Canary({
    peers: () => world.peers as NodeName[],
    dataPlane: {
      canary: async (peer) => {
        sent.push(peer);
        return answers[peer] ?? { failed: 'nobody' };
      },
      lanes: async () =>
        silent === 'no data plane' ? undefined : { lanes: [], omitted: 0, silent },
    },
    clock: {
      wallMs: () => world.nowMs,
      monoMs: () => world.nowMs,
      after: (ms, callback) => {
        world.waits.push(ms);
        wake = callback;
        return () => undefined;
      },
    },
    log: { debug: log, info: log, warn: log, error: log },
    signal: ending.signal,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const advance = async (): Promise<void> => {
    wake();
    await settle();
  };
  return { world, sent, events, canary, ending, advance, settle };
}

/** Peers of these names, all of which answer alike. */
const all = (names: string, outcome: CanaryOutcome): Record<string, CanaryOutcome> =>
  Object.fromEntries(names.split('').map((name) => [name, outcome]));

describe('Canary', () => {
  it('Canary.send() goes to each peer in its turn once one has answered', async () => {
    const { canary, sent } = canaries({ b: { tookMs: 3 }, c: { tookMs: 4 } });
    await canary.send();
    expect(sent.splice(0)).toEqual(['b', 'c']);
    for (let n = 0; n < 4; n += 1) await canary.send();
    expect(sent).toEqual(['b', 'c', 'b', 'c']);
    expect(canary.state).toMatchObject({
      passed: 6,
      failed: 0,
      last: { peer: { node: 'c', tookMs: 4 } },
    });
  });

  it('Canary.send() goes to the peer that last answered after one that did not', async () => {
    const answers = { ...all('cdefgh', { failed: 'mute' }), b: { tookMs: 3 } };
    const { canary, sent, world } = canaries(answers);
    world.peers = ['b'];
    await canary.send();
    world.peers = 'bcdefgh'.split('');
    sent.splice(0);
    for (let n = 0; n < 8; n += 1) await canary.send();
    expect(sent).toEqual(['c', 'b', 'd', 'b', 'e', 'b', 'f', 'b']);
    expect([...canary.state.silent.keys()]).toEqual(['c', 'd', 'e', 'f']);
  });

  it('Canary.send() asks eight at once while none is known to answer', async () => {
    const answers: Record<string, CanaryOutcome> = {
      ...all('bcdefghijklm', { failed: 'mute' }),
      n: { tookMs: 2 },
    };
    const { canary, sent } = canaries(answers);
    await canary.send();
    expect(sent.splice(0).join('')).toBe('bcdefghi');
    await canary.send();
    expect(sent.splice(0).join('')).toBe('jklmnbcd');
    expect(canary.state.last?.peer?.node).toBe('n');
    answers['n'] = { failed: 'mute as well' };
    await canary.send(); // e, in its turn
    await canary.send(); // n, which no longer answers
    sent.splice(0);
    await canary.send();
    expect(sent).toHaveLength(8);
  });

  it('Canary.send() keeps when one last came back; the log tells of a peer once', async () => {
    const answers: Record<string, CanaryOutcome> = { b: { tookMs: 3 } };
    const { canary, events, world } = canaries(answers);
    await canary.send();
    answers['b'] = { failed: 'cut' };
    world.nowMs = 9000;
    await canary.send();
    await canary.send();
    expect(canary.state).toMatchObject({ passed: 1, failed: 2, last: { atMs: 5000 } });
    expect([...canary.state.silent]).toEqual([['b', 'cut']]);
    answers['b'] = { tookMs: 9 };
    await canary.send();
    expect(canary.state).toMatchObject({ passed: 2, last: { atMs: 9000 } });
    expect(canary.state.silent.size).toBe(0);
    expect(events).toEqual([
      'canary.passed: a canary came back from b: lanes to it work',
      'canary.failed: a canary did not come back from b: cut',
      'canary.passed: a canary came back from b: lanes to it work',
    ]);
  });

  it('Canary.send() forgets peers that are gone', async () => {
    const { canary, world, sent } = canaries({ b: { failed: 'cut' }, c: { tookMs: 1 } });
    await canary.send();
    world.peers = ['d'];
    await canary.send();
    expect([...canary.state.silent.keys()]).toEqual(['d']);
    await canary.send();
    expect(sent.slice(2)).toEqual(['d', 'd']);
  });

  it.each([
    [0, ''],
    [1, '1 workers of the data plane do not answer'],
    ['no data plane', 'no data plane runs'],
  ] as const)(
    'Canary.send() without a peer asks the workers: %s silent',
    async (silent, problem) => {
      const { canary } = canaries({}, silent);
      await canary.send();
      expect(canary.state).toMatchObject({ problem, passed: problem === '' ? 1 : 0 });
      expect(canary.state.last).toEqual(problem === '' ? { atMs: 5000, monoMs: 5000 } : undefined);
    },
  );

  it('Canary.run() hurries until a peer has answered and after a failure, and ends with its signal', async () => {
    const answers: Record<string, CanaryOutcome> = { b: { failed: 'cut' } };
    const { canary, world, advance, settle, ending, sent } = canaries(answers);
    world.peers = [];
    const running = canary.run();
    await settle();
    world.peers = ['b'];
    await advance();
    answers['b'] = { tookMs: 1 };
    await advance();
    expect(world.waits).toEqual([1000, 1000, 10_000]);
    ending.abort();
    await running;
    expect(sent).toHaveLength(2);
  });
});

describe('Canary and readinessOf()', () => {
  /** The node's readiness over half an hour, with a mute canary taking five seconds. */
  async function overTime(answers: Record<string, CanaryOutcome>): Promise<boolean[]> {
    const { canary, world } = canaries(answers);
    const peer = statusFixture().peers[0];
    const status = statusFixture({
      peers: world.peers.map((node) => ({ ...peer!, node })),
    });
    const ready: boolean[] = [];
    while (world.nowMs < 1_800_000) {
      const before = canary.state.failed;
      await canary.send();
      world.nowMs += canary.state.failed > before ? 6000 : 10_000;
      const facts = { status, isAdmitted: true, canary: canary.state, nowMonoMs: world.nowMs };
      ready.push(readinessOf(facts).ready);
    }
    return ready;
  }

  it('a node with one good peer among forty that are mute stays ready', async () => {
    const names = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN';
    const ready = await overTime({ ...all(names, { failed: 'mute' }), Z: { tookMs: 3 } });
    expect(ready.length).toBeGreaterThan(100);
    expect(ready.slice(6)).not.toContain(false);
  });

  it('a node none of whose lanes works is never ready', async () => {
    expect(await overTime(all('abc', { failed: 'mute' }))).not.toContain(true);
  });
});
