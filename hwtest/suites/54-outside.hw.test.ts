// What comes and goes outside of lanes: destinations without an agent, plaintext into a pod, UDP; each
// refused but for what is declared, counted, and explained. And service addresses, which lead into lanes.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askAgent } from '#agent/api/client.ts';
import { lanesSchema } from '#agent/api/lanes.ts';
import { whySchema, type Why } from '#agent/api/why.ts';
import type { RunResult } from '#agent/base/run.ts';
import { controlSocketOf } from '#hwtest/rig/cluster.ts';
import type { RigNode, RigPod } from '#hwtest/rig/rig.ts';
import { HTTP_PORT, REDIS_PORT, startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { eventually, fetchFrom, pod, twoNodes, type TwoNodes } from './twoNodes.ts';

/** As the kubelet probes a pod of node-b: from the node's side of the pod network. */
const PROBER = '198.19.2.1';
/** The namespace of node-b: a host whose programs no agent serves. */
const HOST = '198.18.0.12';
const DNS_PORT = 53;
const SERVICE = '10.96.0.10';
const STICKY = '10.96.0.11';

/** What curl says of a reset, which may come before or after it knows that it is connected. */
const REFUSED = /reset|refused|could(n't| not) connect/i;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('near', 'node-a', 'server'),
      pod('server', 'node-b', 'server'),
    ],
    lanes: {
      inboundExcept: [{ network: PROBER, ports: [HTTP_PORT] }],
      unmeshedExcept: [{ network: `${HOST}/32`, ports: [HTTP_PORT] }],
      udp: 'refuse',
      udpExcept: [{ network: HOST, ports: [DNS_PORT] }],
    },
  });
  const { rig } = both;
  for (const name of ['near', 'server']) {
    const { place, dir } = rig.pod(name);
    await startNginx(place, dir, `canary of ${name}`);
  }
  await startRedis(rig.pod('server').place, rig.pod('server').dir);
  const host = rig.node('node-b');
  await startNginx(host.place, `${host.dir}/www`, 'canary of the host');
  for (const port of [DNS_PORT, DNS_PORT + 1]) {
    rig.spawn(host, ['socat', `UDP-LISTEN:${port},fork`, 'EXEC:cat'], { name: `udp-${port}` });
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const ask = async (node: string, path: string): Promise<unknown> =>
  askAgent(controlSocketOf(both.rig.node(node)), path);
const why = async (node: string, name: string, to?: string): Promise<Why> => {
  const query = new URLSearchParams({ pod: name, ...(to !== undefined && { to }) });
  return whySchema.parse(await ask(node, `/why?${query.toString()}`));
};
const outsideOf = async (node: string, name: string) => {
  const { pods } = await both.agent(node).status();
  const found = pods.find((each) => each.name === name)?.outside;
  if (!found) throw new RangeError(`${node} has counted nothing of ${name}`);
  return found;
};
const curl = (from: RigNode | RigPod, url: string): Promise<RunResult> =>
  both.rig.exec(from, ['curl', '-sS', '--max-time', '5', url], { okCodes: [0, 7, 28, 52, 56] });

test('a program without an agent is reached where it is excepted, from the node, and nowhere else', async () => {
  const { rig } = both;
  const from = rig.pod('client');
  const seen = await curl(from, `http://${HOST}:${HTTP_PORT}/peer`);
  expect(seen.stdout.toString()).toContain(rig.node('node-a').address);
  const refused = await curl(from, `http://198.18.0.2:4222/`);
  expect(refused.stderr).toMatch(REFUSED);

  const status = await both.agent('node-a').status();
  expect(status.outside).toMatchObject({
    unmeshed: `refuse but for ${HOST}/32 port ${HTTP_PORT}`,
    plainOut: 1,
  });
  expect(status.lanes.refused['no-agent']).toBeGreaterThan(0);
  expect((await why('node-a', 'default/client', `${HOST}:${HTTP_PORT}`)).links).toContainEqual({
    id: 'destination',
    state: 'holds',
    text: expect.stringContaining('lanes.unmeshedExcept'),
  });
  expect(await why('node-a', 'default/client', '198.18.0.2:4222')).toMatchObject({
    answer: 'no agent serves 198.18.0.2',
    remedy: expect.stringContaining('lanes.unmeshedExcept'),
  });
});

test('plaintext into a pod is reset, counted and explained, but for a declared health check', async () => {
  const { rig } = both;
  const server = rig.pod('server');
  const host = rig.node('node-b');
  const before = await outsideOf('node-b', 'server');
  const healthy = await curl(host, `http://${server.address}:${HTTP_PORT}/canary`);
  expect(healthy.stdout.toString()).toContain('canary of server');
  for (const [from, port] of [
    [host, REDIS_PORT], // the source, another port
    [rig.node('node-a'), HTTP_PORT], // the port, another source
  ] as const) {
    const { stderr } = await curl(from, `http://${server.address}:${port}/canary`);
    expect(stderr).toMatch(REFUSED);
  }
  const after = await outsideOf('node-b', 'server');
  expect(after.plainIn - before.plainIn).toBe(1);
  expect(after.refusedIn - before.refusedIn).toBe(2);

  expect(await why('node-b', PROBER, `default/server:${HTTP_PORT}`)).toMatchObject({
    verdict: 'holds',
  });
  expect(await why('node-b', PROBER, `default/server:${REDIS_PORT}`)).toMatchObject({
    verdict: 'broken',
    answer: expect.stringMatching(`is reset .*from ${PROBER} to port ${REDIS_PORT} .* ago`),
    remedy: expect.stringContaining('lanes.inboundExcept'),
  });
  const about = await why('node-b', 'default/server');
  expect(about.links.at(-1)).toMatchObject({
    id: 'outside',
    text: expect.stringContaining('2 packets refused, the last one from '),
  });
  // What a pod answers to a health check is no way past its redirect.
  expect((await both.agent('node-b').status()).probes.bypasses).toEqual([]);
});

test('UDP is refused at once, but to declared servers, and counted', async () => {
  const { rig } = both;
  const client = rig.pod('client');
  const say = (port: number): Promise<RunResult> =>
    rig.exec(client, ['socat', '-t2', '-', `UDP:${HOST}:${port}`], {
      input: 'which address has example.org?',
      okCodes: [0, 1],
    });
  expect((await say(DNS_PORT)).stdout.toString()).toBe('which address has example.org?');
  const other = await say(DNS_PORT + 1);
  expect(other.stdout).toHaveLength(0);
  expect(other.stderr).toMatch(/unreachable|not permitted|denied|no route/i);
  expect(await outsideOf('node-a', 'client')).toMatchObject({
    udpOut: 1,
    udpIn: 1,
    udpRefused: 1,
  });
  const metrics = await curl(rig.node('node-a'), 'http://127.0.0.1:8055/metrics');
  expect(metrics.stdout.toString()).toMatch(
    /^tidelock_udp_packets_total\{direction="refused"\} 1$/m,
  );
  expect((await why('node-a', 'default/client')).links.at(-1)?.text).toContain(
    `UDP is refused but for ${HOST} port ${DNS_PORT}, 1 packet refused`,
  );
});

/** Lists services beside the pods of node-a, as an operator would, while the agent runs. */
function announce(services: readonly object[]): void {
  const file = `${both.rig.node('node-a').dir}/inventory.json`;
  const { pods } = JSON.parse(readFileSync(file, 'utf8')) as { pods: object[] };
  writeFileSync(`${file}.next`, JSON.stringify({ pods, services }));
  renameSync(`${file}.next`, file);
}

const service = (name: string, ip: string, more: object): object => ({
  namespace: 'default',
  name,
  ips: [ip],
  ports: [{ port: 80, targetPort: HTTP_PORT }],
  endpoints: [{ uid: both.rig.pod('near').uid }, { uid: both.rig.pod('server').uid }],
  ...more,
});

const fetchService = async (ip: string): Promise<string> =>
  (await both.exec('client', ['curl', '-sS', '--max-time', '5', `http://${ip}/canary`])).stdout
    .toString()
    .trim();

test('a service address leads to each of its endpoints, on this node and over a lane', async () => {
  announce([service('web', SERVICE, {}), service('sticky', STICKY, { affinity: 'ClientIP' })]);
  await eventually(
    'the service is known',
    async () => ((await fetchService(SERVICE)).startsWith('canary') ? true : undefined),
    10_000,
  );
  const answers = new Set<string>();
  for (let i = 0; i < 24; i += 1) answers.add(await fetchService(SERVICE));
  expect(answers).toEqual(new Set(['canary of near', 'canary of server']));
  const same = new Set<string>();
  for (let i = 0; i < 8; i += 1) same.add(await fetchService(STICKY));
  expect(same.size).toBe(1);
  const { services } = await both.agent('node-a').status();
  const endpoints = ['near', 'server'].map((name) => `${both.rig.pod(name).address}:${HTTP_PORT}`);
  expect(services).toContainEqual({
    name: 'default/web',
    ips: [SERVICE],
    affinity: 'None',
    ports: [{ port: 80, endpoints }],
  });
  expect(await why('node-a', 'default/client', 'web.default.svc:80')).toMatchObject({
    verdict: 'holds',
    links: expect.arrayContaining([
      expect.objectContaining({
        id: 'destination',
        text: expect.stringMatching(/^service default\/web leads to .*, .*; default\/near /),
      }),
    ]),
  });
});

test('a live connection to a service is listed with the endpoint it has', async () => {
  const argv = ['curl', '-sS', '--limit-rate', '50k', '-o', '/dev/null'] as const;
  const slow = both.rig.spawn(both.rig.pod('client'), [...argv, `http://${STICKY}/1048576`], {
    name: 'slow',
  });
  const { value } = await eventually(
    'a live connection',
    async () => {
      const { lanes } = lanesSchema.parse(await ask('node-a', '/lanes'));
      return lanes.find(({ destination }) => destination === `${STICKY}:80`);
    },
    10_000,
  );
  expect(value.endpoint).toMatch(`:${HTTP_PORT}`);
  await slow.stop();
});

test('a service without a ready endpoint refuses at once, and why names it', async () => {
  const endpoints = [{ uid: both.rig.pod('server').uid, ready: false }];
  announce([service('web', SERVICE, { endpoints })]);
  const { value } = await eventually(
    'the endpoint is gone',
    async () => {
      const { lanes } = await both.agent('node-a').status();
      await curl(both.rig.pod('client'), `http://${SERVICE}/canary`);
      return lanes.refused['no-endpoint'];
    },
    10_000,
  );
  expect(value).toBeGreaterThan(0);
  const refused = await curl(both.rig.pod('client'), `http://${SERVICE}/canary`);
  expect(refused.stderr).toMatch(REFUSED);
  expect(await why('node-a', 'default/client', `${SERVICE}:80`)).toMatchObject({
    verdict: 'broken',
    answer: expect.stringContaining('service default/web has no ready endpoint'),
  });
  // Pods are reached at their own addresses all the same.
  const direct = await fetchFrom(both, 'client', both.rig.pod('server'));
  expect(direct.stdout.toString()).toContain('canary of server');
});
