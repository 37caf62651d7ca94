// What `tidelock bus init` makes, on real nats-servers: who gets in, what a node may do there and what not, and
// three servers of which one goes.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import { openBus, type Bus } from '#agent/epochs/bus.ts';
import { connectionTo } from '#agent/epochs/busAccess.ts';
import { evidenceKey } from '#agent/epochs/examiner.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import { busLease } from '#agent/epochs/busLease.ts';
import { openLease } from '#agent/epochs/lease.ts';
import { nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';
import { freePort } from '#proxy/ports.fixture.ts';
import {
  addNodes,
  adminFile,
  authorityCertificate,
  credentialsFile,
  makeBusAuthority,
  serverDir,
} from './directory.ts';

const CLUSTER = 'prod';
const [A, B] = ['node-a', 'node-b'] as [NodeName, NodeName];
const SID = 'ab'.repeat(16) as Sid;
const subjects = subjectsOf(CLUSTER);
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const root = mkdtempSync(`${tmpdir()}/tl-authority-`);
const buses: Bus[] = [];
const connections: NatsConnection[] = [];
const servers: ChildProcess[] = [];
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await Promise.all(connections.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  await Promise.all(servers.splice(0).map(end));
  rmSync(root, { recursive: true });
});

/** Starts the server of `host` as its files say. */
async function startServer(dir: string, host: string, port: number): Promise<ChildProcess> {
  const file = `${serverDir(dir, host)}/nats.conf`;
  const server = spawn('nats-server', ['--config', file], { stdio: 'ignore' });
  servers.push(server);
  await vi.waitFor(() => isListening(host, port), { timeout: 20_000, interval: 50 });
  return server;
}

const isListening = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = dial(port, host, () => resolve(socket.destroy() && undefined));
    socket.once('error', reject);
  });

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
}

/** A bus of one server for both nodes, or of `hosts`. */
async function makeBus(
  name: string,
  hosts: readonly string[],
): Promise<{ dir: string; port: number }> {
  const [dir, port] = [`${root}/${name}`, await freePort()];
  const [configDir, storeDir] = ['/CONFIG', '/STORE'];
  await makeBusAuthority(dir, { cluster: CLUSTER, hosts, port, configDir, storeDir });
  for (const host of hosts) {
    // All are on one machine here: each has its own address and its own files.
    const file = `${serverDir(dir, host)}/nats.conf`;
    const text = readFileSync(file, 'utf8')
      .replaceAll('/CONFIG', serverDir(dir, host))
      .replaceAll('/STORE', `${dir}/store-${host}`)
      .replaceAll('0.0.0.0', host);
    writeFileSync(file, text);
  }
  await addNodes(dir, [A, B]);
  return { dir, port };
}

interface Access {
  readonly dir: string;
  readonly port: number;
  readonly hosts?: readonly string[];
  readonly replicas?: number;
}

/** The bus of `node`, with the credentials of `as`. */
function open(node: NodeName, access: Access, as = node): Bus {
  const { dir, port, hosts = ['127.0.0.1'], replicas = 1 } = access;
  const bus = openBus({
    servers: hosts.map((host) => `tls://${host}:${port}`),
    credentialsFile: credentialsFile(dir, as),
    tls: { caFile: authorityCertificate(dir) },
    name: node,
    inboxPrefix: inboxOf(nodeToken(node)),
    ...busLayout(subjects, 60_000, replicas),
    clock: systemClock,
    random: Math.random,
    log,
  });
  buses.push(bus);
  return bus;
}

const connected = (bus: Bus): Promise<void> => new Promise((resolve) => bus.onConnect(resolve));

/** The client library itself, for what `Bus` has no name for. */
async function raw(
  { dir, port }: Access,
  credentials: string,
  inbox: string,
): Promise<NatsConnection> {
  const connection = await connect({
    ...connectionTo({
      servers: [`tls://127.0.0.1:${port}`],
      credentialsFile: credentials,
      tls: { caFile: authorityCertificate(dir) },
      inboxPrefix: inbox,
    }),
    timeout: 3000,
  });
  connections.push(connection);
  return connection;
}

describe('a bus of one server', () => {
  let at: Access;
  beforeAll(async () => {
    at = await makeBus('one', ['127.0.0.1']);
    await startServer(at.dir, '127.0.0.1', at.port);
  });

  test('a node says what is its own; what it would say for another is not taken', async () => {
    const bus = open(A, at);
    await connected(bus);
    expect(await bus.publish(subjects.presence(A), { of: 'a' })).toBe(true);
    expect(await bus.publish(subjects.presence(B), { of: 'a' })).toBe(false);
    expect(await bus.put(subjects.buckets.enrolment, nodeToken(A), {})).toBe(true);
    expect(await bus.put(subjects.buckets.enrolment, nodeToken(B), {})).toBe(false);
    expect(await bus.put(subjects.buckets.roster, evidenceKey(A, SID), {})).toBe(true);
    expect(await bus.put(subjects.buckets.roster, evidenceKey(B, SID), {})).toBe(false);
    expect(await bus.put(subjects.buckets.roster, 'entry.x', {})).toBe(true); // as who conducts
    expect(await bus.last(subjects.streams.presence, subjects.presence(A))).toEqual({ of: 'a' });
    expect(await bus.count(subjects.streams.presence)).toBe(1);
  });

  test('a node reads what is sealed to it, and neither reads nor hears what is sealed to another', async () => {
    const [mine, theirs] = [open(A, at), open(B, at)];
    await Promise.all([mine, theirs].map(connected));
    for (const node of [A, B])
      expect(await mine.publish(subjects.sealed(node), { to: node })).toBe(true);
    const { sealed } = subjects.streams;
    expect(await mine.last(sealed, subjects.sealed(A))).toEqual({ to: A });
    expect(await mine.last(sealed, subjects.sealed(B))).toBeUndefined();
    expect(await theirs.last(sealed, subjects.sealed(B))).toEqual({ to: B });
    const heard = await raw(at, credentialsFile(at.dir, A), inboxOf(nodeToken(A)));
    for (const subject of [subjects.sealed(B), `${inboxOf(nodeToken(B))}.>`, '>']) {
      await expect(denied(heard, subject), subject).resolves.toMatch(/permissions violation/i);
    }
  });

  test('a request is answered, by whoever conducts', async () => {
    const [newcomer, conductor] = [open(A, at), open(B, at)];
    await Promise.all([newcomer, conductor].map(connected));
    conductor.respond(subjects.every.join, async (value) => ({ heard: value as { n: number } }));
    const asked = () => newcomer.request(subjects.join(A), { n: 1 }, 1000);
    await vi.waitFor(async () => expect(await asked()).toEqual({ heard: { n: 1 } }), 5000);
    const { lease: bucket } = subjects.buckets;
    const store = busLease(conductor, bucket);
    const lease = openLease({ store, clock: systemClock, ttlMs: 10_000 });
    const candidate = { node: B, sid: SID, highestTerm: 0 };
    expect(await lease.hold({ ...candidate, standing: () => 'unknown' })).toEqual({ term: 1 });
  });

  test('a node is asked to follow another by that one alone', async () => {
    const [asking, asked] = [open(A, at), open(B, at)];
    await Promise.all([asking, asked].map(connected));
    const heard = new Set<string>();
    asked.respond(subjects.meetOfAny(B), async (_value, on) => {
      heard.add(on);
      return {};
    });
    const meet = (from: NodeName) => asking.request(subjects.meet(B, from), {}, 1000);
    await expect(meet('node-c' as NodeName)).rejects.toThrow();
    await vi.waitFor(async () => expect(await meet(A)).toEqual({}), 5000);
    expect([...heard]).toEqual([subjects.meet(B, A)]);
  });

  test('no node takes a stream away; an operator’s tools may', async () => {
    await connected(open(A, at));
    const { presence } = subjects.streams;
    const { enrolment } = subjects.buckets;
    const node = await raw(at, credentialsFile(at.dir, A), inboxOf(nodeToken(A)));
    const jsm = await jetstreamManager(node, { timeout: 1000 });
    await expect(jsm.streams.purge(presence)).rejects.toThrow();
    await expect(jsm.streams.delete(presence)).rejects.toThrow();
    const rollup = headers();
    rollup.set('Nats-Rollup', 'all');
    const all = jetstream(node).publish(`$KV.${enrolment}.${nodeToken(A)}`, '{}', {
      headers: rollup,
    });
    await expect(all).rejects.toThrow(/rollup/i); // what others have in the bucket would go
    const admin = await jetstreamManager(await raw(at, adminFile(at.dir), '_INBOX.admin'));
    expect((await admin.streams.purge(presence)).success).toBe(true);
  });

  test('nobody gets in without credentials of this bus, and none takes another server for it', async () => {
    const other = await makeBus('other', ['127.0.0.1']);
    const stranger = open(A, { ...at, dir: other.dir });
    await vi.waitFor(() => expect(stranger.problem).toBeDefined(), { timeout: 10_000 });
    expect(stranger.problem?.message).toMatch(/certificate/i); // its authority made no such certificate
    const knock = (credentialsFile?: string) =>
      connect({
        ...connectionTo({
          servers: [`tls://127.0.0.1:${at.port}`],
          credentialsFile,
          tls: { caFile: authorityCertificate(at.dir) },
          inboxPrefix: '_INBOX.x',
        }),
        reconnect: false,
        timeout: 3000,
      });
    await expect(knock()).rejects.toThrow(/authorization/i);
    await expect(knock(credentialsFile(other.dir, A))).rejects.toThrow(/authorization/i);
  });

  test('the credentials of another node are said to be that', async () => {
    const bus = open(A, at, B);
    await vi.waitFor(() => expect(bus.problem?.code).toBe('BUS_DENIED'), { timeout: 10_000 });
    expect(bus.problem?.hint).toMatch(/are they of another node/);
  });

  test('a node that is added later gets in without a word to the server', async () => {
    const late = 'node-late.example.org' as NodeName;
    await addNodes(at.dir, [late]);
    const bus = open(late, at);
    await connected(bus);
    expect(await bus.publish(subjects.presence(late), {})).toBe(true);
    await expect(addNodes(at.dir, [late])).rejects.toMatchObject({ code: 'FILE_EXISTS' });
  });
});

describe('a bus of three servers', () => {
  const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

  test('keeps everything thrice: nothing is lost with any one of them', async () => {
    const at = { ...(await makeBus('three', HOSTS)), hosts: HOSTS, replicas: 3 };
    const three = await Promise.all(HOSTS.map((host) => startServer(at.dir, host, at.port)));
    const bus = open(A, at);
    await connected(bus);
    expect(await bus.publish(subjects.presence(A), { n: 1 })).toBe(true);
    const [gone] = three;
    if (gone) await end(gone);
    await vi.waitFor(
      async () => expect(await bus.publish(subjects.presence(A), { n: 2 })).toBe(true),
      { timeout: 60_000, interval: 500 },
    );
    // Any of the two answers, also the one that hears of it a moment later.
    const { presence } = subjects.streams;
    await vi.waitFor(
      async () => expect(await bus.last(presence, subjects.presence(A))).toEqual({ n: 2 }),
      { timeout: 30_000, interval: 200 },
    );
  }, 120_000);
});

/** How the server refuses a subscription. */
async function denied(connection: NatsConnection, subject: string): Promise<string> {
  return new Promise((resolve) => {
    connection.subscribe(subject, {
      callback: (error) => resolve(error?.message ?? 'a message came'),
    });
  });
}
