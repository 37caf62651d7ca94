import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveControl } from '#agent/api/control.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { statusFixture } from '#agent/health/status.fixture.ts';
import { readOwnerPublic } from '#agent/owner.ts';
import { isNewer, readRevocation, type Revocation } from '#attest/revocation.ts';
import { callIn, configBy } from './calling.fixture.ts';

const DAY_MS = 86_400_000;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-quarantine-'));
  await callIn(dir, ['init', '--domain', 'example.org', '--cluster', 'demo', '--out', 'owner']);
  await writeFile(join(dir, 'config.json'), JSON.stringify(configBy()));
});
afterEach(() => rm(dir, { recursive: true }));

const { node } = statusFixture();
const KNOWN = statusFixture({
  node: { ...node, name: 'node-a' },
  peers: [{ node: 'node-b', address: 'unknown', verdict: 'affirming', reason: '' }],
});
const quarantine = (...more: string[]) =>
  callIn(dir, [
    'quarantine',
    'node-b',
    '--config',
    'config.json',
    '--owner',
    'owner/owner.key',
    ...more,
  ]);

/** An agent that holds `held` of node-b, and takes what is newer. */
async function agentWith(held?: Revocation) {
  const owner = await readOwnerPublic(join(dir, 'owner', 'owner.pub'));
  const taken: Revocation[] = held ? [held] : [];
  const control = await serveControl(join(dir, 'run', 'control.sock'), {
    'GET /status': () => KNOWN,
    'POST /revocations': (_query, document) => {
      const revocation = readRevocation(document, [owner]);
      const last = taken.at(-1);
      const isNews = !last || isNewer(revocation, last);
      if (isNews) taken.push(revocation);
      return { revocation: isNews ? revocation : last, isNews, wasMember: true, isPublished: true };
    },
  });
  return { taken, [Symbol.asyncDispose]: () => control[Symbol.asyncDispose]() };
}

describe('tidelock quarantine', () => {
  it('quarantine puts a node out for a day, or as long as it is told, and says how it comes back', async () => {
    await using agent = await agentWith();
    const { exit, out } = await quarantine('--reason', 'alerts');
    expect(exit).toBe(0);
    expect(out).toMatch(/^quarantined node-b of demo in example.org until \S+Z: alerts\n/);
    expect(out).toContain('tidelock quarantine node-b --lift');
    const [first] = agent.taken;
    expect((first?.until ?? 0) - (first?.issuedAt ?? 0)).toBe(DAY_MS);
    for (const [given, ms] of [
      ['30m', 1_800_000],
      ['7d', 7 * DAY_MS],
    ] as const) {
      const asJson = await quarantine('--reason', 'x', '--for', given, '-o', 'json');
      const { kind, revocation } = JSON.parse(asJson.out) as {
        kind: string;
        revocation: Revocation;
      };
      expect(kind).toBe('Quarantine');
      expect((revocation.until ?? 0) - revocation.issuedAt).toBe(ms);
    }
  });

  it('quarantine --lift ends it at once', async () => {
    await using agent = await agentWith();
    const { exit, out } = await quarantine('--lift');
    expect(exit).toBe(0);
    expect(out).toMatch(/^lifted the quarantine of node-b/);
    expect(agent.taken[0]?.until).toBe(agent.taken[0]?.issuedAt);
  });

  it('quarantine repeats what was revoked before, so that its end brings nobody back', async () => {
    const revoked: Revocation = {
      v: 1,
      domain: 'example.org',
      cluster: 'demo',
      node: 'node-b' as NodeName,
      reason: 'lost',
      issuedAt: 1_700_000_000_000,
    };
    await using agent = await agentWith(revoked);
    const { out } = await quarantine('--reason', 'alerts');
    expect(agent.taken.at(-1)).toMatchObject({ revokedAt: revoked.issuedAt, reason: 'alerts' });
    expect(out).toContain('revoked for good is what was enrolled for it up to 2023-11-14T22:13:20');
    await quarantine('--lift');
    expect(agent.taken.at(-1)).toMatchObject({ revokedAt: revoked.issuedAt, reason: 'lifted' });
  });

  it('quarantine asks for a reason and a time that is one', async () => {
    expect((await quarantine()).err).toMatch(/USAGE: .*--reason TEXT/);
    expect((await quarantine('--lift', '--for', '1h')).err).toMatch(/USAGE: .*--lift ends it/);
    for (const time of ['0h', '24', '1w', '367d', '1.5h']) {
      const { exit, err } = await quarantine('--reason', 'x', '--for', time);
      expect({ time, exit }).toEqual({ time, exit: 2 });
      expect(err).toMatch(/--for takes minutes, hours or days/);
    }
  });
});
