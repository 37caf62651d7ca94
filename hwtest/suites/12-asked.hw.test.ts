// A cluster that no agent knows whole (`epochs.knowAllUpTo: 0`): the first connection to a pod has its node found, and
// both nodes follow each other from then on, over restarts too. Who is not talked to is not followed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNginx } from '#hwtest/rig/servers.ts';
import { fetchFrom, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

const [A, B, C] = ['node-a', 'node-b', 'node-c'] as const;
const PERIOD_MS = 5_000;
/** An address that no node has a pod at. */
const NOWHERE = '198.18.77.77';

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    nodes: [A, B, C],
    pods: [pod('client', A, 'client'), pod('server', B, 'server'), pod('idle', C, 'server')],
    periodMs: PERIOD_MS,
    knowAllUpTo: 0,
  });
  for (const name of ['server', 'idle']) {
    const { place, dir } = both.rig.pod(name);
    await startNginx(place, dir, 'canary');
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const followed = async (node: string): Promise<readonly string[]> =>
  (await both.agent(node).status()).peers.map((peer) => peer.node);

const fetched = async (): Promise<string> => {
  const { stdout, stderr } = await fetchFrom(both, 'client', both.rig.pod('server'));
  return `${stdout.toString().trim()}${stderr}`;
};

describe('a cluster that is not known whole', () => {
  test('is asked whose an address is by the first connection to it', async () => {
    expect(await Promise.all([A, B, C].map(followed))).toEqual([[], [], []]);
    const startedMs = performance.now();
    expect(await fetched()).toBe('canary');
    report(`first connection to a node: ${Math.round(performance.now() - startedMs)} ms`);
    expect(await Promise.all([A, B, C].map(followed))).toEqual([[B], [A], []]);
    const againMs = performance.now();
    expect(await fetched()).toBe('canary');
    report(`the next one: ${Math.round(performance.now() - againMs)} ms`);
  });

  test('refuses what nobody has, and says so', async () => {
    const { stderr } = await both.exec('client', [
      'curl',
      '-sS',
      '--max-time',
      '8',
      `http://${NOWHERE}:8080/`,
    ]);
    expect(stderr).toMatch(/reset|connect to server/i);
    const { refused } = (await both.agent(A).status()).lanes;
    expect(refused).toMatchObject({ 'no-agent': expect.any(Number) as number });
  });

  test.each([
    ['the control plane', 'SIGKILL'],
    ['all of the agent', 'SIGTERM'],
  ] as const)('is followed on by a node of which %s starts anew', async (_what, signal) => {
    const { program } = both.agent(B);
    program.kill(signal);
    await program.ended;
    both.startAgain(B);
    await both.inStep();
    expect(await followed(B)).toEqual([A]);
    expect(await fetched()).toBe('canary');
  });
});
