// What the lease in Kubernetes is made of: the credentials that a node shows, and the object that it leaves there for
// people to read. Of the stand-in API server.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { StandInApiServer, WHAT_IT_IS } from '#hwtest/apiserver/standIn.ts';
import { A, ApiBed, B, CLUSTER, every, LEASE_MS, NAME } from './apiBed.fixture.ts';
import { NAMESPACE, rulesFor } from './places.fixture.ts';

const bed = new ApiBed();

describe('kubernetesLease() and its credentials', () => {
  test('takes the next token of its file while the one before still holds, and after', async () => {
    const { lease, said } = bed.open();
    for (let n = 0; n < 3; n += 1) {
      bed.candidate.expire();
      bed.candidate.renew();
      // Whoever holds it loses a try at most: the library reads the file once a minute, a failure reads it at once.
      const held = await bed.tries(lease, 2);
      expect(held[1]).toEqual({ term: 5 });
    }
    expect(said('lease.unreachable').length).toBeLessThanOrEqual(3);
  });

  test('believes no server of another authority, and tells it no token', async () => {
    await using other = await StandInApiServer.start();
    const dir = mkdtempSync(join(tmpdir(), 'tl-kube-'));
    const kubeconfig = join(dir, 'config');
    const text = {
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [
        { name: 'c', cluster: { server: other.url, 'certificate-authority': bed.server.caFile } },
      ],
      users: [{ name: 'u', user: { token: 'secret' } }],
    };
    writeFileSync(kubeconfig, JSON.stringify(text));
    const { lease, store } = bed.open({ kubeconfig });
    expect(await bed.tries(lease, 1)).toEqual([undefined]);
    expect(store.problem?.message).toMatch(/certificate does not hold/);
    expect(other.asked).toEqual([]);
    rmSync(dir, { recursive: true });
  });

  test('of a pod: host and port by the environment, token and authority by files', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tl-pod-'));
    const place = join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
    mkdirSync(place, { recursive: true });
    const account = { user: 'system:serviceaccount:tidelock:agent', rules: rulesFor(CLUSTER) };
    const token = bed.server.issue(account);
    const { lease, store } = bed.open({ root });
    expect(await bed.tries(lease, 1)).toEqual([undefined]);
    expect(store.problem?.message).toContain('runs in no pod');
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1');
    vi.stubEnv('KUBERNETES_SERVICE_PORT', String(bed.server.port));
    try {
      expect(await bed.tries(lease, 1)).toEqual([undefined]);
      expect(store.problem?.message).toContain('ENOENT');
      symlinkSync(bed.server.caFile, join(place, 'ca.crt'));
      writeFileSync(join(place, 'token'), token);
      expect(await bed.tries(lease, 1)).toEqual([{ term: 5 }]);
      bed.server.expire(token);
      expect(await bed.tries(lease, 1)).toEqual([undefined]);
      writeFileSync(join(place, 'token'), bed.server.issue(account));
      expect(await bed.tries(lease, 1)).toEqual([{ term: 5 }]);
    } finally {
      vi.unstubAllEnvs();
      rmSync(root, { recursive: true });
    }
  });
});

describe('kubernetesLease() in what it leaves there', () => {
  const kept = () =>
    bed.server.leases.get(NAMESPACE, NAME).body as {
      readonly metadata: { readonly annotations: object; readonly labels: object };
      readonly spec: Readonly<Record<string, unknown>>;
    };

  test('is a Lease that people can read', async () => {
    const [a, b] = [bed.open(), bed.open()];
    await bed.tries(a.lease, 2);
    const first = kept();
    expect(first.spec).toMatchObject({
      holderIdentity: 'node-a',
      leaseDurationSeconds: LEASE_MS / 1000,
      leaseTransitions: 0,
    });
    expect(first.metadata.annotations).toEqual({
      'tidelock.io/term': '5',
      'tidelock.io/sid': A.sid,
      'tidelock.io/beat': '2',
    });
    expect(first.spec['acquireTime']).not.toBe(first.spec['renewTime']);
    await a.lease.release(A.node);
    expect(kept().spec).toMatchObject({ holderIdentity: '', leaseTransitions: 0 });
    expect(kept().metadata.annotations).not.toHaveProperty(['tidelock.io/sid']);
    expect(await b.lease.hold({ ...B, ...every })).toEqual({ term: 6 });
    expect(kept().spec).toMatchObject({ holderIdentity: 'node-b', leaseTransitions: 1 });
  });

  test('keeps labels and annotations of others', async () => {
    const { lease } = bed.open();
    await bed.tries(lease, 1);
    const { metadata, spec } = kept();
    const annotations = { ...metadata.annotations, 'example.org/note': 'mine' };
    const labels = { ...metadata.labels, team: 'net' };
    bed.server.leases.force(NAMESPACE, NAME, { metadata: { annotations, labels }, spec });
    await bed.tries(lease, 2);
    expect(kept().metadata.annotations).toMatchObject({ 'example.org/note': 'mine' });
    expect(kept().metadata.labels).toEqual({
      team: 'net',
      'app.kubernetes.io/part-of': 'tidelock',
    });
  });

  test('is made again after somebody deleted it, also between reading and writing', async () => {
    const { lease, store } = bed.open();
    await bed.tries(lease, 1);
    const { revision } = (await store.read()) ?? {};
    bed.server.leases.remove(NAMESPACE, NAME);
    expect(await store.swap({ v: 1, holder: A, term: 5, beat: 7 }, revision)).toBeUndefined();
    expect(store.problem, 'is no fault').toBeUndefined();
    expect(await lease.hold({ ...A, ...every, highestTerm: 5 })).toEqual({ term: 6 });
  });

  test('costs a connection or two, a reading a slot, and a writing by the holder', async () => {
    const { lease } = bed.open();
    const before = bed.server.connections;
    const from = bed.server.asked.length;
    await bed.tries(lease, 20);
    expect(bed.server.connections - before).toBeLessThanOrEqual(2);
    const methods = bed.server.asked.slice(from).map(({ method }) => method);
    expect(methods.filter((method) => method === 'GET')).toHaveLength(20);
    expect(methods.filter((method) => method === 'PUT')).toHaveLength(19);
    expect(methods.filter((method) => method === 'POST')).toHaveLength(1);
  });

  test('nothing after it was closed', async () => {
    const { lease, said } = bed.open();
    await bed.tries(lease, 1);
    await lease.close();
    const from = bed.server.asked.length;
    expect(await bed.tries(lease, 2)).toEqual([undefined, undefined]);
    await lease.release(A.node);
    expect(bed.server.asked).toHaveLength(from);
    expect(said('lease.unreachable')).toEqual([]);
  });
});

test('the stand-in says of itself that it is one', async () => {
  const { default: https } = await import('node:https');
  const headers = await new Promise((resolve, reject) => {
    https
      .get(`${bed.server.url}/version`, { rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.headers);
      })
      .once('error', reject);
  });
  expect(headers).toMatchObject({ 'x-stand-in': WHAT_IT_IS });
  expect(dirname(bed.server.caFile)).toContain('stand-in');
});
