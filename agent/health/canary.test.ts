// Canaries in their turn: whom they go to, what is noted of them, when the next one goes.
import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { LogMethod } from '#agent/log.ts';
import type { CanaryOutcome } from '#proxy/plane.ts';
import { Canary } from './canary.ts';

/** A clock on which a wait is over when it is asked for `advance`. */
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

describe('Canary', () => {
  it('Canary.send() goes to each peer in its turn', async () => {
    const { canary, sent } = canaries({ b: { tookMs: 3 }, c: { tookMs: 4 } });
    for (let n = 0; n < 4; n += 1) await canary.send();
    expect(sent).toEqual(['b', 'c', 'b', 'c']);
    expect(canary.state).toMatchObject({ passed: 4, failed: 0, path: 'peer', tookMs: 4 });
  });

  it('Canary.send() notes a failure and keeps when one last came back; the log has it once', async () => {
    const answers: Record<string, CanaryOutcome> = { b: { tookMs: 3 } };
    const { canary, events, world } = canaries(answers);
    await canary.send();
    answers['b'] = { failed: 'cut' };
    world.nowMs = 9000;
    await canary.send();
    await canary.send();
    expect(canary.state).toMatchObject({
      passed: 1,
      failed: 2,
      passedAtMs: 5000,
      problem: 'b: cut',
    });
    answers['b'] = { tookMs: 9 };
    await canary.send();
    expect(canary.state).toMatchObject({ passed: 2, passedAtMs: 9000, problem: '' });
    expect(events).toEqual([
      'canary.passed: a canary came back from a peer: lanes work',
      'canary.failed: a canary did not come back: b: cut',
      'canary.passed: a canary came back from a peer: lanes work',
    ]);
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
      expect(canary.state.path).toBe(problem === '' ? 'workers' : undefined);
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
