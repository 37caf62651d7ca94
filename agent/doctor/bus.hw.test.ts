// The checks of the bus on real nats-servers: refused credentials, no JetStream, one server of two gone,
// and that comparing clocks leaves nothing on the bus.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as tcpConnect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, nkeyAuthenticator, nkeys } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import { subjectsOf } from '#agent/epochs/subjects.ts';
import { writeOwner } from '#agent/owner.ts';
import { CHECKS } from './checks.ts';
import { openContext } from './context.ts';
import { examine, type Result } from './doctor.ts';

const IDS = ['config', 'bus', 'jetstream', 'bus-clock'];
const subjects = subjectsOf('test');

let dir: string;
const user = nkeys.createUser();
const servers: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-doctor-bus-'));
  await writeOwner(join(dir, 'owner.key'), join(dir, 'owner.pub'), generateSigningKey());
  await writeFile(join(dir, 'user.nk'), user.getSeed(), { mode: 0o600 });
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }
  await rm(dir, { recursive: true });
});

async function freePort(): Promise<number> {
  await using probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  return (probe.address() as AddressInfo).port;
}

/** Starts a nats-server that knows `user`, and gives its URL. */
async function startServer(more: object): Promise<string> {
  const port = await freePort();
  const file = join(dir, `nats-${port}.conf`);
  const authorization = { users: [{ nkey: user.getPublicKey() }] };
  await writeFile(file, JSON.stringify({ listen: `127.0.0.1:${port}`, authorization, ...more }));
  servers.push(spawn('nats-server', ['--config', file], { stdio: 'ignore' }));
  await vi.waitFor(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = tcpConnect(port, '127.0.0.1', () => resolve(socket.destroy() && undefined));
        socket.once('error', reject);
      }),
    { timeout: 20_000, interval: 50 },
  );
  return `nats://127.0.0.1:${port}`;
}

const withJetStream = (): Promise<string> =>
  startServer({ jetstream: { store_dir: join(dir, 'jetstream') } });

/** What doctor finds with these servers, by id. */
async function found(
  urls: readonly string[],
  wallMs = (): number => Date.now(),
): Promise<Readonly<Record<string, Result>>> {
  const config = {
    domain: 'example.org',
    cluster: 'test',
    node: 'node-a',
    owners: ['owner.pub'],
    bus: { servers: urls, nkeySeedFile: 'user.nk' },
    attestation: { ekRoots: '.', policyFile: 'none.json' },
    lanes: { address: '192.0.2.1' },
    inventory: { file: 'none.yaml' },
  };
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  const { signal } = new AbortController();
  const clock = { ...systemClock, wallMs };
  const sources = { file: 'config.json', env: {}, cwd: dir };
  await using context = openContext({ sources, clock, run, signal });
  const checks = CHECKS.filter(({ id }) => IDS.includes(id));
  const results = await examine(checks, { context, clock, signal, onWaiting: () => undefined });
  return Object.fromEntries(results.map((result) => [result.id, result]));
}

describe('BUS_CHECKS', () => {
  test('BUS_CHECKS pass on a server that has JetStream and no streams yet', async () => {
    expect(await found([await withJetStream()])).toMatchObject({
      bus: { state: 'pass' },
      jetstream: { state: 'pass', observed: expect.stringContaining('made by its first agent') },
      'bus-clock': { state: 'skip' },
    });
  });

  test('BUS_CHECKS tell refused credentials from a server that is not there', async () => {
    const url = await withJetStream();
    await writeFile(join(dir, 'user.nk'), nkeys.createUser().getSeed());
    expect(await found([url])).toMatchObject({
      bus: { state: 'fail', exit: 2, remedy: expect.stringContaining('bus.nkeySeedFile') },
      jetstream: { state: 'skip' },
    });
    expect(await found([`nats://127.0.0.1:${await freePort()}`])).toMatchObject({
      bus: { state: 'fail', exit: 5, remedy: expect.stringContaining('Start nats-server') },
    });
  });

  test('BUS_CHECKS find a server without JetStream', async () => {
    expect(await found([await startServer({})])).toMatchObject({
      bus: { state: 'pass' },
      jetstream: { state: 'fail', exit: 6, remedy: expect.stringContaining('-js') },
      'bus-clock': { state: 'skip' },
    });
  });

  test('BUS_CHECKS only warn when one server of two is gone', async () => {
    const gone = `nats://127.0.0.1:${await freePort()}`;
    expect(await found([gone, await withJetStream()])).toMatchObject({
      bus: { state: 'warn', observed: expect.stringContaining(gone) },
      jetstream: { state: 'pass' },
    });
  });

  test('BUS_CHECKS measure the clock both ways and leave no consumer', async () => {
    const url = await withJetStream();
    const authenticator = nkeyAuthenticator(user.getSeed());
    const nc = await connect({ servers: url, authenticator });
    try {
      const manager = await jetstreamManager(nc);
      const stream = busLayout(subjects, 60_000, 1).streams.find(
        ({ name }) => name === subjects.streams.presence,
      );
      await manager.streams.add({ ...stream, name: subjects.streams.presence });
      const off = async (ms: number) => (await found([url], () => Date.now() + ms))['bus-clock'];
      expect(await off(0)).toMatchObject({ state: 'pass' });
      expect(await off(20_000)).toMatchObject({
        state: 'fail',
        observed: expect.stringMatching(/(19\.9|20\.0)\d\d s ahead of the bus/),
      });
      expect(await off(-20_000)).toMatchObject({
        state: 'fail',
        observed: expect.stringMatching(/(19\.9|20\.0)\d\d s behind the bus/),
      });
      expect(await off(2_000)).toMatchObject({ state: 'warn' });
      const { state } = await manager.streams.info(subjects.streams.presence);
      expect(state).toMatchObject({ messages: 0, consumer_count: 0 });
    } finally {
      await nc.close();
    }
  });
});
