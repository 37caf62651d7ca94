// The client of the Kubernetes API as it is in the bundle, loaded on demand: `tidelock doctor` asks the stand-in API
// server who holds the lease, with this node's own credentials.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '#agent/base/run.ts';
import { minimal } from '#agent/config.fixture.ts';
import { bundle } from '#daemonset/bundle.ts';
import { StandInApiServer } from '#hwtest/apiserver/standIn.ts';
import { candidateAt, leaseNameIn, NAMESPACE, rulesFor, type Candidate } from './places.fixture.ts';

const NAME = leaseNameIn(minimal.cluster);
const findings = z.object({
  checks: z.array(z.looseObject({ id: z.string(), state: z.string(), observed: z.string() })),
});

let dir: string;
let server: StandInApiServer;
let candidate: Candidate;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tl-lease-bundle-'));
  await bundle(join(dir, 'dist'));
  server = await StandInApiServer.start();
  candidate = candidateAt(server, rulesFor(minimal.cluster));
  const init = ['init', '--domain', minimal.domain, '--cluster', minimal.cluster, '--out', dir];
  await run([process.execPath, join(dir, 'dist/tidelock.mjs'), ...init]);
});
afterAll(async () => {
  candidate.close();
  await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

async function lease(namespace: string): Promise<unknown> {
  const kubernetes = { kubeconfig: candidate.kubeconfig, namespace };
  const config = { ...minimal, bus: { servers: ['nats://127.0.0.1:9'] }, kubernetes };
  writeFileSync(
    join(dir, 'config.yaml'),
    JSON.stringify({ ...config, epochs: { lease: 'kubernetes' } }),
  );
  const argv = ['doctor', '--config', join(dir, 'config.yaml'), '-o', 'json'];
  const every = Array.from({ length: 256 }, (_, code) => code); // what else is wrong here is not asked
  const { stdout } = await run([process.execPath, join(dir, 'dist/tidelock.mjs'), ...argv], {
    timeoutMs: 120_000,
    okCodes: every,
  });
  const { checks } = findings.parse(JSON.parse(stdout.toString()));
  return checks.find(({ id }) => id === 'lease');
}

test('tidelock doctor says who holds the Lease, and what is missing where it cannot know', async () => {
  expect(await lease(NAMESPACE)).toMatchObject({
    state: 'pass',
    observed: `${NAMESPACE}/${NAME} is not there yet: the first agent that conducts makes it`,
  });
  server.leases.force(NAMESPACE, NAME, {
    metadata: {
      annotations: {
        'tidelock.io/term': '7',
        'tidelock.io/beat': '1',
        'tidelock.io/sid': 'a'.repeat(32),
      },
    },
    spec: { holderIdentity: 'node-a' },
  });
  expect(await lease(NAMESPACE)).toMatchObject({
    state: 'pass',
    observed: `${NAMESPACE}/${NAME} is held by node-a, term 7`,
  });
  candidate.expire();
  expect(await lease(NAMESPACE)).toMatchObject({
    state: 'fail',
    observed: expect.stringContaining('answers 401'),
    remedy: expect.stringContaining('read again from its file'),
  });
});
