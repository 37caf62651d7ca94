// Tests of the file inventory: schema, SPIFFE IDs, change, and files that break while running.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { openFileInventory, readInventory } from './file.ts';
import type { Inventory } from './inventory.ts';
import type { PodNetns, PodPlace } from './netns.ts';

const naming = {
  domain: 'example.org',
  cluster: 'demo',
  template: 'spiffe://<domain>/<cluster>/<namespace>/<serviceaccount>',
};

const web = {
  uid: 'web-1',
  namespace: 'shop',
  name: 'web-0',
  serviceAccount: 'web',
  labels: { app: 'web' },
  imageDigest: `sha256:${'ab'.repeat(32)}`,
  ips: ['198.19.1.10', '2001:DB8:0::1'],
  netns: '/run/netns/web',
};
const cache = {
  uid: 'cache-1',
  namespace: 'shop',
  name: 'cache-0',
  serviceAccount: 'cache',
  ips: ['198.19.1.11'],
  cgroup: '/sys/fs/cgroup/cache',
};

const db = {
  namespace: 'shop',
  name: 'db',
  ips: ['10.96.0.10'],
  ports: [{ port: 5432 }],
  endpoints: [{ uid: 'db-0' }],
};

let dir: string;
let file: string;
let opened: Inventory | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-inventory-'));
  file = join(dir, 'inventory.yaml');
});
afterEach(async () => {
  opened?.close();
  opened = undefined;
  await rm(dir, { recursive: true });
});

async function put(content: object | string): Promise<void> {
  const next = `${file}.next`;
  await writeFile(next, typeof content === 'string' ? content : stringify(content));
  await rename(next, file); // whole or not at all, as a careful editor does
}

const byPath = async ({ path }: PodPlace): Promise<PodNetns> => ({ path, id: path });

async function problemsOf(content: object | string): Promise<string> {
  await put(content);
  const error = await readInventory(file).catch((thrown: unknown) => thrown);
  if (!(error instanceof TidelockError)) throw new Error('it was accepted');
  expect(error.code).toBe('INVENTORY_INVALID');
  return error.message;
}

describe('readInventory()', () => {
  it.each<[string, object | string, RegExp]>([
    ['no document', '', /one document/],
    ['no list', { pods: 5 }, /list of pods/],
    ['an unknown key', { pods: [{ ...web, label: {} }] }, /did you mean labels/],
    [
      'neither netns nor cgroup',
      { pods: [{ ...web, netns: undefined }] },
      /either netns or cgroup/,
    ],
    ['both netns and cgroup', { pods: [{ ...web, cgroup: '/x' }] }, /either netns or cgroup/],
    ['a relative netns', { pods: [{ ...web, netns: 'web' }] }, /absolute/],
    ['a uid twice', { pods: [web, { ...cache, uid: 'web-1' }] }, /pods\.1\.uid .*pods\.0/],
    ['an address twice', { pods: [web, { ...cache, ips: ['198.19.1.10'] }] }, /pods\.1\.ips\.0/],
    [
      'an IPv6 address twice in two spellings',
      { pods: [web, { ...cache, ips: ['2001:db8::0:1'] }] },
      /claimed once/,
    ],
    ['a loopback address', { pods: [{ ...cache, ips: ['127.0.0.2'] }] }, /pod itself/],
    ['an address that is none', { pods: [{ ...cache, ips: ['fe80::1%eth0'] }] }, /IP address/],
    [
      'a slash in a service account',
      { pods: [{ ...cache, serviceAccount: 'a/b' }] },
      /service account/,
    ],
    [
      'a service without an address',
      { pods: [], services: [{ ...db, ips: [] }] },
      /services\.0\.ips .*at least one address/,
    ],
    [
      'a service at the address of a pod',
      { pods: [cache], services: [{ ...db, ips: cache.ips }] },
      /services\.0\.ips\.0 .*pods\.0 has this address/,
    ],
    [
      'two services at one address',
      { pods: [], services: [db, { ...db, name: 'db-ro' }] },
      /services\.1\.ips\.0 .*services\.0 has this address/,
    ],
    [
      'a port of a service twice',
      { pods: [], services: [{ ...db, ports: [{ port: 80 }, { port: 80, targetPort: 81 }] }] },
      /services\.0\.ports\.1\.port .*claimed once/,
    ],
    ['a service twice', { pods: [], services: [db, { ...db, ips: ['10.96.0.11'] }] }, /this name/],
    [
      'an endpoint that is two things',
      { pods: [], services: [{ ...db, endpoints: [{ uid: 'a', address: '10.0.0.1' }] }] },
      /one of \{address\}, \{uid\} and \{spiffe, nodes\}/,
    ],
    [
      'an endpoint whose identity is none, at the identity',
      { pods: [], services: [{ ...db, endpoints: [{ spiffe: 'foo', nodes: ['node-a'] }] }] },
      /services\.0\.endpoints\.0\.spiffe is "foo"; must be a SPIFFE ID/,
    ],
    [
      'an endpoint by identity on no node',
      { pods: [], services: [{ ...db, endpoints: [{ spiffe: 'spiffe://example.org/a' }] }] },
      /services\.0\.endpoints\.0\.nodes is missing; must be a list/,
    ],
    [
      'an unknown key of an endpoint',
      { pods: [], services: [{ ...db, endpoints: [{ uid: 'a', redy: true }] }] },
      /services\.0\.endpoints\.0\.redy is not known here/,
    ],
    [
      'a port of a service that is none',
      { pods: [], services: [{ ...db, ports: [{ port: 0 }] }] },
      /services\.0\.ports\.0\.port .*from 1 to 65535/,
    ],
    [
      'an unknown key of a service',
      { pods: [], services: [{ ...db, afinity: 'ClientIP' }] },
      /did you mean affinity/,
    ],
    ['a shortened digest', { pods: [{ ...web, imageDigest: 'sha256:ab' }] }, /64 hex/],
  ])('readInventory() refuses %s', async (_what, content, why) => {
    expect(await problemsOf(content)).toMatch(why);
  });

  it('readInventory() reports all problems of all pods at once', async () => {
    const broken = { ...cache, ips: [], serviceAccount: undefined, cgroup: undefined };
    const message = await problemsOf({ pods: [broken, { ...web, name: 'A B' }] });
    for (const path of ['pods.0.ips', 'pods.0.serviceAccount', 'pods.1.name', 'pods.0 ']) {
      expect(message).toContain(path);
    }
  });
});

async function open(report: (problem: TidelockError | undefined) => void = () => {}) {
  opened = await openFileInventory({ file, naming, clock: systemClock, report, resolve: byPath });
  return opened;
}

describe('openFileInventory()', () => {
  it('openFileInventory() gives each pod its SPIFFE ID, canonical addresses and namespace', async () => {
    await put({ pods: [web, cache] });
    const inventory = await open();
    expect(inventory.pods()).toEqual([
      {
        uid: 'web-1',
        namespace: 'shop',
        name: 'web-0',
        serviceAccount: 'web',
        spiffeId: 'spiffe://example.org/demo/shop/web',
        labels: { app: 'web' },
        imageDigest: web.imageDigest,
        ips: ['198.19.1.10', '2001:db8::1'],
        netns: { path: '/run/netns/web', id: '/run/netns/web' },
      },
      expect.objectContaining({
        spiffeId: 'spiffe://example.org/demo/shop/cache',
        labels: {},
        netns: { path: '/sys/fs/cgroup/cache', id: '/sys/fs/cgroup/cache' },
      }),
    ]);
  });

  it('openFileInventory() completes services, and tells when they alone change', async () => {
    await put({ pods: [], services: [db] });
    const inventory = await open();
    expect(inventory.services()).toEqual([
      {
        ...db,
        affinity: 'None',
        ports: [{ port: 5432, targetPort: 5432 }],
        endpoints: [{ uid: 'db-0', ready: true }],
      },
    ]);
    const changed = Promise.withResolvers<void>();
    inventory.onChange(() => changed.resolve());
    await put({ pods: [], services: [{ ...db, endpoints: [] }] });
    await changed.promise;
    expect(inventory.services()[0]?.endpoints).toEqual([]);
  });

  it('openFileInventory() captures a shared network namespace for its first pod only', async () => {
    await put({ pods: [web, { ...cache, cgroup: undefined, netns: '/run/netns/web' }] });
    const [first, second] = (await open()).pods();
    expect(first?.netns).toHaveProperty('id');
    expect(second?.netns).toEqual({ problem: 'it shares the network namespace of shop/web-0' });
  });

  it('openFileInventory() keeps the last good pods while the file is broken, and says so once', async () => {
    await put({ pods: [web] });
    const reports: (TidelockError | undefined)[] = [];
    const broken = Promise.withResolvers<void>();
    const mended = Promise.withResolvers<void>();
    const inventory = await open((problem) => {
      reports.push(problem);
      (problem ? broken : mended).resolve();
    });
    await put('pods: [');
    await broken.promise;
    expect(inventory.problem()).toMatchObject({ code: 'INVENTORY_INVALID' });
    expect(inventory.pods().map((pod) => pod.name)).toEqual(['web-0']);

    const changed = Promise.withResolvers<readonly string[]>();
    inventory.onChange(() => changed.resolve(inventory.pods().map((pod) => pod.name)));
    await put({ pods: [web, cache] });
    await mended.promise;
    expect(await changed.promise).toEqual(['web-0', 'cache-0']);
    expect(inventory.problem()).toBeUndefined();
    expect(reports.map((report) => report?.code)).toEqual(['INVENTORY_INVALID', undefined]);
  });

  it('openFileInventory() refuses to start from a broken file', async () => {
    await put('pods: 3');
    await expect(open()).rejects.toMatchObject({ code: 'INVENTORY_INVALID', exitCode: 2 });
  });
});
