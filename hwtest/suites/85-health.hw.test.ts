// Health, metrics and the connection log of real agents: ready when a canary came back, not ready when
// lanes do not work, one line per connection, and nothing of a canary in what counts users' traffic.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REDIS_PORT, startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { eventually, fetchFrom, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')],
  });
  const { place, dir } = both.rig.pod('server');
  await startNginx(place, dir, 'well');
  await startRedis(place, dir);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

interface Answer {
  readonly code: number;
  readonly body: string;
}

async function read(node: string, path: string): Promise<Answer> {
  const url = `http://127.0.0.1:8055${path}`;
  const argv = ['curl', '-sS', '--max-time', '5', '-w', '\n%{http_code}', url] as const;
  const { stdout } = await both.rig.exec(both.agent(node).node, argv);
  const text = stdout.toString();
  const at = text.lastIndexOf('\n');
  return { code: Number(text.slice(at + 1)), body: text.slice(0, at) };
}

/** The value of one line of /metrics; NaN: there is none. */
async function metric(node: string, line: string): Promise<number> {
  const { body } = await read(node, '/metrics');
  const found = body.split('\n').find((each) => each.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1) ?? Number.NaN);
}

/** A page is kept for a second: it may be that much behind what it counts. */
const untilMetric = (node: string, line: string, value: number) =>
  eventually(
    `${line} is ${value}`,
    async () => ((await metric(node, line)) === value ? true : undefined),
    10_000,
  );

const untilReady = (node: string, code: number, timeoutMs: number) =>
  eventually(
    `${node} answers ${code}`,
    async () => {
      const answer = await read(node, '/readyz');
      return answer.code === code ? answer : undefined;
    },
    timeoutMs,
  );

/** The accounts of connections in the log of a node's agent. */
function accounts(node: string): Record<string, unknown>[] {
  const lines = readFileSync(both.agent(node).program.logFile, 'utf8').trim().split('\n');
  return lines
    .filter((line) => line.includes('"event":"lane.closed"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('both nodes are ready by a canary over a lane, of which no counter of traffic knows', async () => {
  // Each is ready by its own canary; that it answers one is sure only when the other is ready too.
  for (const node of ['node-a', 'node-b']) await untilReady(node, 200, 60_000);
  for (const node of ['node-a', 'node-b']) {
    const { value } = await untilReady(node, 200, 60_000);
    expect(JSON.parse(value.body)).toMatchObject({
      kind: 'Readiness',
      ready: true,
      checks: [{}, {}, {}, {}, { name: 'canary', reason: expect.stringContaining('from a peer') }],
    });
    expect(await read(node, '/healthz')).toEqual({ code: 200, body: 'ok\n' });
    const { readiness } = await both.agent(node).status();
    expect(readiness).toMatchObject({ ready: true, reasons: [], canary: { silent: [] } });
    expect(readiness?.canary.peer).toBe(node === 'node-a' ? 'node-b' : 'node-a');
    expect(await metric(node, 'tidelock_ready')).toBe(1);
    expect(await metric(node, 'tidelock_canaries_total{result="passed"}')).toBeGreaterThan(0);
    expect(await metric(node, 'tidelock_canaries_answered_total')).toBeGreaterThan(0);
    report(`a canary takes ${1000 * (await metric(node, 'tidelock_canary_seconds'))} ms`);
    for (const line of [
      'tidelock_connections',
      'tidelock_connections_opened_total{direction="out"}',
      'tidelock_connections_opened_total{direction="in"}',
      'tidelock_traffic_bytes_total{direction="out"}',
      'tidelock_strangers_total',
    ]) {
      expect(await metric(node, line), line).toBe(0);
    }
    expect(accounts(node)).toEqual([]);
  }
});

test('a connection leaves one line at each end, with identities, rule, bytes and why it ended', async () => {
  await fetchFrom(both, 'client', both.rig.pod('server'));
  const shared = {
    from: 'spiffe://suite.tidelock/suite/default/client',
    to: 'spiffe://suite.tidelock/suite/default/server',
    rule: 'suite/clients',
    reason: 'clean',
  };
  for (const [node, direction, peer] of [
    ['node-a', 'out', 'node-b'],
    ['node-b', 'in', 'node-a'],
  ] as const) {
    const { value } = await eventually(
      'a line',
      async () => (accounts(node).length > 0 ? accounts(node) : undefined),
      10_000,
    );
    expect(value).toHaveLength(1);
    expect(value[0]).toMatchObject({ ...shared, direction, peer });
    expect(value[0]?.['bytesOut']).toBeGreaterThan(50);
    expect(value[0]?.['bytesIn']).toBeGreaterThan(50);
    await untilMetric(node, 'tidelock_connections_closed_total{reason="clean"}', 1);
  }
});

test('a live connection is listed at both ends with what it carries', async () => {
  const { address } = both.rig.pod('server');
  const argv = ['redis-cli', '-h', address, '-p', String(REDIS_PORT)] as const;
  const often = ['-r', '-1', '-i', '0.1', 'INCR', 'n'] as const;
  const session = both.rig.spawn(both.rig.pod('client'), [...argv, ...often], { name: 'session' });
  for (const node of ['node-a', 'node-b']) {
    await untilMetric(node, 'tidelock_connections', 1);
  }
  await session.stop();
});

test('a node whose lanes reach nobody is not ready, says so, and comes back', async () => {
  const { rig } = both;
  const { node } = both.agent('node-b');
  const drop =
    'table inet blind { chain in { type filter hook input priority 0; tcp dport 15008 drop; }; }';
  await rig.exec(node, ['nft', drop]);
  const { value, afterMs } = await untilReady('node-a', 503, 90_000);
  expect(JSON.parse(value.body)).toMatchObject({ ready: false });
  expect(value.body).toContain('lanes fail: none came back from any peer');
  expect(value.body).not.toContain('node-b');
  const { readiness } = await both.agent('node-a').status();
  expect(readiness).toMatchObject({ ready: false, canary: { silent: [{ peer: 'node-b' }] } });
  report(`not ready ${Math.round(afterMs / 1000)} s after lanes stopped working`);
  await rig.exec(node, ['nft', 'delete table inet blind']);
  const back = await untilReady('node-a', 200, 60_000);
  report(`ready ${Math.round(back.afterMs / 1000)} s after they work again`);
});
