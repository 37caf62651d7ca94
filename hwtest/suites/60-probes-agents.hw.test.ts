// Probes as part of running agents: traffic in lanes is seen and is no bypass, and a pod whose rules are
// taken away is named by its own agent, and by no other.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import { startNginx } from '#hwtest/rig/servers.ts';
import { eventually, fetchFrom, pod, report, SLACK, twoNodes, type TwoNodes } from './twoNodes.ts';

const FOUND_WITHIN_MS = SLACK * 1_000;
/** Fewer than what a namespace may print of a kind in half a second (heartbeat.bt). */
const REQUESTS = 20;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')],
  });
  const { place, dir } = both.rig.pod('server');
  await startNginx(place, dir, 'canary');
  for (const node of ['node-a', 'node-b']) {
    await both.agent(node).until('probes', ({ probes }) => probes.state === 'running', 90_000);
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

test('traffic in lanes is counted by both agents and is no bypass', async () => {
  const server = both.rig.pod('server');
  for (let i = 0; i < REQUESTS; i += 1) {
    const { code, stderr } = await fetchFrom(both, 'client', server);
    expect(code, stderr).toBe(0);
  }
  for (const node of ['node-a', 'node-b']) {
    const { value: probes } = await eventually(
      'every connection is counted',
      async () => {
        const { probes } = await both.agent(node).status();
        const { connect = 0, accept = 0, close = 0 } = probes.events;
        return Math.min(connect, accept, close) >= REQUESTS ? probes : undefined;
      },
      FOUND_WITHIN_MS,
    );
    report(`${node}: ${JSON.stringify(probes.events)}`);
    expect(probes).toMatchObject({ lost: 0, unreadable: 0, bypasses: [], events: { bypass: 0 } });
  }
});

test('a connection of a pod whose rules are gone is a bypass, named by the agent of its node', async () => {
  const { place } = both.rig.pod('client');
  const { address } = both.rig.pod('server');
  await run(['nsenter', `--net=${place.netns.path}`, 'nft', 'delete', 'table', 'inet', 'tidelock']);
  const asked = fetchFrom(both, 'client', both.rig.pod('server'));
  const { value: bypasses, afterMs } = await eventually(
    'the bypass is in the status of node-a',
    async () => {
      const { probes } = await both.agent('node-a').status();
      return probes.bypasses.length > 0 ? probes.bypasses : undefined;
    },
    FOUND_WITHIN_MS,
  );
  report(`rules gone: in the status ${Math.round(afterMs)} ms after the start of the program`);
  expect(bypasses[0]).toMatchObject({ pod: 'default/client' });
  expect(bypasses[0]?.last[0]?.text).toContain(
    `default/client goes past its redirect to ${address}:8080 (curl`,
  );
  expect((await both.agent('node-b').status()).probes.bypasses).toEqual([]);
  await asked;
});
