import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as tcpConnect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { connect, nkeyAuthenticator, nkeys } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import type { Json } from '#agent/base/jcs.ts';
import { openBus, type Bus } from './bus.ts';
import { inboxOf } from './grants.ts';
import { busLayout } from './layout.ts';
import { subjectsOf } from './subjects.ts';

const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const subjects = subjectsOf('test');
const user = nkeys.createUser();
const stranger = nkeys.createUser();

let dir: string;
let port: number;
let server: ChildProcess;
const buses: Bus[] = [];

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  return free;
}

async function startServer(): Promise<void> {
  server = spawn('nats-server', ['--config', `${dir}/nats.conf`], { stdio: 'ignore' });
  await vi.waitFor(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = tcpConnect(port, '127.0.0.1', () => resolve(socket.destroy() && undefined));
        socket.once('error', reject);
      }),
    { timeout: 20_000, interval: 50 },
  );
}

async function killServer(): Promise<void> {
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

function open(seed = user.getSeed()): Bus {
  const seedFile = `${dir}/${Math.random()}.nk`;
  writeFileSync(seedFile, seed, { mode: 0o600 });
  const bus = openBus({
    servers: [`nats://127.0.0.1:${port}`],
    nkeySeedFile: seedFile,
    name: 'test',
    inboxPrefix: inboxOf('test'),
    ...busLayout(subjects, 60_000, 1),
    clock: systemClock,
    random: Math.random,
    log,
  });
  buses.push(bus);
  return bus;
}

const connected = (bus: Bus): Promise<void> =>
  new Promise((resolve) => {
    bus.onConnect(resolve);
  });

beforeAll(async () => {
  dir = mkdtempSync(`${tmpdir()}/tl-bus-`);
  port = await freePort();
  const config = {
    listen: `127.0.0.1:${port}`,
    jetstream: { store_dir: `${dir}/js` },
    authorization: { users: [{ nkey: user.getPublicKey() }] },
  };
  writeFileSync(`${dir}/nats.conf`, JSON.stringify(config));
  await startServer();
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
});
afterAll(async () => {
  await killServer();
  rmSync(dir, { recursive: true });
});

describe('openBus()', () => {
  test('says that its credentials are wrong, goes on trying, and can be closed', async () => {
    const bus = open(stranger.getSeed());
    await vi.waitFor(() => expect(bus.problem?.code).toBe('BUS_DENIED'), { timeout: 10_000 });
    expect(bus.connected).toBe(false);
    await expect(bus.request(subjects.join('n' as NodeName), {}, 100)).rejects.toMatchObject({
      code: 'BUS_DENIED',
    });
    expect(await bus.publish(subjects.record, {})).toBe(false);
    expect(await bus.get(subjects.buckets.roster, 'x')).toBeUndefined();
  });

  test('keeps what was published, drops repetitions, and gives history newest first', async () => {
    const bus = open();
    await connected(bus);
    for (const id of ['1', '2', '2', '3']) await bus.publish(subjects.record, { id }, id);
    const seen: unknown[] = [];
    const read = async (maxBytes = 1000): Promise<void> => {
      for await (const value of bus.history(subjects.streams.record, 10, maxBytes))
        seen.push(value);
    };
    await read();
    expect(seen).toEqual([{ id: '3' }, { id: '2' }, { id: '1' }]);
    await read(5); // all of them are longer
    expect(seen).toHaveLength(3);
    expect(await bus.last(subjects.streams.record, subjects.record)).toEqual({ id: '3' });
  });

  test('history() ends, and says so, where a call is not answered', async () => {
    const bus = open();
    await connected(bus);
    const { record } = subjects.streams;
    await expect(bus.history('TL_none', 10, 1000)[Symbol.asyncIterator]().next()).rejects.toThrow(
      'TL_none was not read',
    );
    await bus.publish(subjects.record, { id: 'a' });
    await bus.publish(subjects.record, { id: 'b' });
    const reading = bus.history(record, 10, 1000)[Symbol.asyncIterator]();
    expect(await reading.next()).toMatchObject({ value: { id: 'b' } });
    await killServer();
    try {
      await expect(reading.next()).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
    } finally {
      await startServer();
    }
  }, 30_000);

  test('names the subjects of a stream, as many as are wanted', async () => {
    const bus = open();
    await connected(bus);
    const { revocation: stream } = subjects.streams;
    expect(await bus.subjects(stream, 10)).toEqual([]);
    const named = ['a', 'b', 'c'].map((node) => subjects.revocation(node as NodeName));
    for (const subject of named) await bus.publish(subject, { subject });
    expect((await bus.subjects(stream, 10))?.toSorted()).toEqual(named.toSorted());
    expect(await bus.subjects(stream, 2)).toHaveLength(2);
  });

  test('hands on JSON and nothing else', async () => {
    const bus = open();
    await connected(bus);
    const heard: unknown[] = [];
    bus.subscribe(subjects.every.workloads, 1000, (message) => heard.push(message.read()));
    const raw = await connect({
      servers: `127.0.0.1:${port}`,
      authenticator: nkeyAuthenticator(user.getSeed()),
    });
    const subject = subjects.workloads('n' as NodeName);
    for (const garbage of ['', '{', '\u0000', '[1,', 'x'.repeat(100_000)])
      raw.publish(subject, garbage);
    raw.publish(subject, JSON.stringify({ long: 'x'.repeat(1000) }));
    raw.publish(subject, '{"good":true}');
    await raw.flush();
    await vi.waitFor(() => expect(heard).toContainEqual({ good: true }));
    expect(heard.filter((each) => each !== undefined)).toEqual([{ good: true }]);
    expect(heard).toHaveLength(5); // garbage that is short enough says nothing
    await raw.close();
  });

  test('answers go to an inbox alone, whatever a request names', async () => {
    const bus = open();
    await connected(bus);
    const asked = subjects.join('n' as NodeName);
    bus.respond(subjects.every.join, async (_value, on) => ({ on }));
    const raw = await connect({
      servers: `127.0.0.1:${port}`,
      authenticator: nkeyAuthenticator(user.getSeed()),
    });
    const request = async () => (await raw.request(asked, '{}', { timeout: 1000 })).json();
    await vi.waitFor(async () => expect(await request()).toEqual({ on: asked }));
    const stored = subjects.workloads('other' as NodeName);
    raw.publish(asked, '{}', { reply: stored });
    expect(await request()).toEqual({ on: asked }); // after whatever came of the one before
    expect(await bus.last(subjects.streams.workloads, stored)).toBeUndefined();
    await raw.close();
  });

  test('swap() lets one of many win', async () => {
    const [a, b] = [open(), open()];
    await Promise.all([connected(a), connected(b)]);
    const bucket = subjects.buckets.lease;
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).swap(bucket, 'swap', { i }, undefined)),
    );
    const won = tries.filter((revision) => revision !== undefined);
    expect(won).toHaveLength(1);
    expect(await a.swap(bucket, 'swap', {}, (won[0] ?? 0) + 1)).toBeUndefined();
    expect(await a.swap(bucket, 'swap', {}, won[0])).toBeGreaterThan(won[0] ?? 0);
  });

  test('comes back by itself after the server was killed, subscriptions and all', async () => {
    const bus = open();
    await connected(bus);
    const heard: Json[] = [];
    bus.subscribe(subjects.every.presence, 1000, (message) => heard.push(message.read() as Json));
    await killServer();
    await vi.waitFor(() => expect(bus.connected).toBe(false), { timeout: 15_000 });
    await startServer();
    await vi.waitFor(() => expect(bus.connected).toBe(true), { timeout: 15_000 });
    await bus.publish(subjects.presence('n' as NodeName), { again: true });
    await vi.waitFor(() => expect(heard).toEqual([{ again: true }]));
  });
});
