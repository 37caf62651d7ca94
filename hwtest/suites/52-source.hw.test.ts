// Whom programs see as their peer, by what they say themselves: over lanes and within a node, by IPv4 and
// IPv6. The lanes between the two nodes go by IPv6 here.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askAgent } from '#agent/api/client.ts';
import { whySchema } from '#agent/api/why.ts';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { controlSocketOf } from '#hwtest/rig/cluster.ts';
import { waitListening } from '#hwtest/rig/program.ts';
import { HTTP_PORT, REDIS_PORT, startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { startPostgres } from '#hwtest/soak/postgres.ts';
import { diagnose } from './doctor.ts';
import { pod, twoNodes, type TwoNodes } from './twoNodes.ts';

const CALLER_PORT = 7;
/** Outside of what a kernel chooses from by itself (net.ipv4.ip_local_port_range); each is used once. */
let clientPort = 20_000;
const here = import.meta.dirname;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('near', 'node-a', 'server'),
      pod('server', 'node-b', 'server'),
    ],
    ipv6: true,
  });
  for (const name of ['near', 'server']) {
    const { place, dir } = both.rig.pod(name);
    const argv = [process.execPath, `${here}/caller.ts`, String(CALLER_PORT)] as const;
    await waitListening(both.rig.spawn(both.rig.pod(name), argv, { name: 'caller' }), CALLER_PORT);
    await startNginx(place, dir, name);
    await startRedis(place, dir);
  }
  await startPostgres(both.rig.pod('server'));
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const say = async (name: string, script: string): Promise<string> => {
  const { stdout, stderr } = await both.exec(name, ['sh', '-c', script], 60_000);
  return `${stdout.toString()}${stderr}`.trim();
};
const addressOf = (name: string, family: 4 | 6): string => {
  const { address, address6 = '' } = both.rig.pod(name);
  return family === 4 ? address : address6;
};
/** As a socket for both families shows an address. */
const shown = (address: string): string => (address.includes(':') ? address : `::ffff:${address}`);

describe.each([
  ['server', 4],
  ['server', 6],
  ['near', 4],
  ['near', 6],
] as const)('a program in %s that is called by IPv%i', (server, family) => {
  test('sees the address and the port of the client', async () => {
    const port = (clientPort += 1);
    const call = `nc.openbsd -N -p ${port} ${addressOf(server, family)} ${CALLER_PORT} < /dev/null`;
    expect(await say('client', call)).toBe(`${shown(addressOf('client', family))} ${port}`);
  });

  test('gets and sends 20 MB whole', async () => {
    const file = `${both.rig.pod('client').dir}/bytes`;
    const bytes = randomBytes(20_000_000);
    writeFileSync(file, bytes);
    const call = `nc.openbsd -N ${addressOf(server, family)} ${CALLER_PORT} < ${file}`;
    expect((await say('client', `${call} | tail -n +2 | sha256sum`)).slice(0, 64)).toBe(
      hex(sha256(bytes)),
    );
  });
});

// Before the thousands of connections below: of a client whose port conntrack still remembers it chooses
// another in the whole range from 1024, and the pod then has a socket of that port.
test.each([4, 6] as const)('a pod reaches itself by its own address, IPv%i', async (family) => {
  const own = addressOf('near', family);
  const port = (clientPort += 1);
  const call = `nc.openbsd -N -p ${port} ${own} ${CALLER_PORT} < /dev/null`;
  expect(await say('near', call)).toBe(`${shown(own)} ${port}`);
});

describe.each(['server', 'near'])('programs of others in %s', (server) => {
  test('nginx has the client as $remote_addr', async () => {
    const port = (clientPort += 1);
    const call = `curl -sS --max-time 5 --local-port ${port} http://${addressOf(server, 4)}:${HTTP_PORT}/peer`;
    expect(await say('client', call)).toBe(`${addressOf('client', 4)} ${port}`);
  });

  test.each([4, 6] as const)('redis lists the client, IPv%i', async (family) => {
    const call = `redis-cli -h ${addressOf(server, family)} -p ${REDIS_PORT} CLIENT LIST`;
    const client = addressOf('client', family);
    const text = family === 6 ? `[${client}]` : client;
    expect(await say('client', call)).toContain(` addr=${text}:`);
  });

  test('2,000 connections, 50 at a time, fail nowhere for want of a port', async () => {
    const connector = `${process.execPath} ${here}/connector.ts ${addressOf(server, 4)} ${CALLER_PORT} 2000 50`;
    expect(JSON.parse(await say('client', connector))).toMatchObject({ opened: 2000, failed: 0 });
  });
});

test('PostgreSQL has the client as inet_client_addr()', async () => {
  const call = `psql -h ${addressOf('server', 4)} -U soak postgres -tAc 'select inet_client_addr()'`;
  expect(await say('client', call)).toBe(addressOf('client', 4));
});

test.each(['127.0.0.1', '::1'])('a pod reaches itself by %s, past any agent', async (loopback) => {
  const before = (await both.agent('node-a').status()).lanes;
  const call = `nc.openbsd -N ${loopback} ${CALLER_PORT} < /dev/null`;
  expect(await say('near', call)).toContain(`${shown(loopback)} `);
  const { refused, sameNode } = (await both.agent('node-a').status()).lanes;
  expect({ refused, sameNode }).toEqual({ refused: before.refused, sameNode: before.sameNode });
});

test('the probes take none of this for traffic past the redirect', async () => {
  for (const node of ['node-a', 'node-b']) {
    const { probes, pods, warnings } = await both.agent(node).status();
    expect(probes.bypasses).toEqual([]);
    expect(warnings).toEqual([]);
    expect(pods.map(({ sourceProblem }) => sourceProblem)).toEqual(pods.map(() => undefined));
  }
});

test('a port on which nobody listens refuses at once, by both families', async () => {
  for (const family of [4, 6] as const) {
    const call = `nc.openbsd -N -w 5 ${addressOf('server', family)} 9 < /dev/null; echo $?`;
    await say('client', call);
  }
  const { refused } = (await both.agent('node-b').status()).lanes;
  expect(refused['pod-unreachable']).toBe(2);
});

test('a pod whose routing rule was removed is named by doctor and why, and lets no answer out', async () => {
  const [node, near] = [both.rig.node('node-a'), both.rig.pod('near')];
  await both.rig.exec(near, ['ip', 'rule', 'delete', 'pref', '15008']);
  const found = await diagnose(both, node);
  expect(found.check('clients')).toMatchObject({
    state: 'fail',
    observed: expect.stringMatching(/^default\/near: /),
  });
  const socket = controlSocketOf(node);
  const why = whySchema.parse(await askAgent(socket, '/why?pod=default/near'));
  expect(why.links.find(({ state }) => state === 'broken')).toMatchObject({ id: 'redirect' });
});
