import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveControl } from '#agent/api/control.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { statusFixture } from '#agent/health/status.fixture.ts';
import { readOwnerPublic } from '#agent/owner.ts';
import { readRevocation } from '#attest/revocation.ts';
import { callIn, configBy } from './calling.fixture.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-revoke-'));
});
afterEach(() => rm(dir, { recursive: true }));

const { node } = statusFixture();
const KNOWN = statusFixture({
  node: { ...node, name: 'node-a' },
  peers: [{ node: 'node-b', address: 'unknown', verdict: 'affirming', reason: '' }],
});

const init = (out: string) =>
  callIn(dir, ['init', '--domain', 'example.org', '--cluster', 'demo', '--out', out]);

describe('tidelock revoke', () => {
  const config = (ownerDir: string) =>
    writeFile(join(dir, 'config.json'), JSON.stringify(configBy(ownerDir)));
  const revoke = (node: string, ...more: string[]) =>
    callIn(dir, ['revoke', node, '--config', 'config.json', '--owner', 'owner/owner.key', ...more]);

  it('revoke hands a signed word to the agent, and says what came of it', async () => {
    await init('owner');
    await config('owner');
    const owner = await readOwnerPublic(join(dir, 'owner', 'owner.pub'));
    await using _agent = await serveControl(join(dir, 'run', 'control.sock'), {
      'GET /status': () => KNOWN,
      'POST /revocations': (_query, document) => ({
        revocation: readRevocation(document, [owner]),
        isNews: true,
        wasMember: true,
        isPublished: false,
      }),
    });
    const { exit, out } = await revoke('node-b', '--reason', 'lost');
    expect(exit).toBe(0);
    expect(out).toMatch(/^revoked node-b of demo in example.org: lost\n/);
    expect(out).toContain('its lanes are cut');
    expect(out).toContain('the bus does not have it yet: this agent keeps it');
    const asJson = await revoke('node-b', '--reason', 'lost', '-o', 'json');
    expect(JSON.parse(asJson.out)).toMatchObject({
      kind: 'Revocation',
      revocation: { node: 'node-b', reason: 'lost' },
      isPublished: false,
    });
  });

  it('revoke signs as of the enrolment where that was made by a clock ahead of this one', async () => {
    await init('owner');
    await config('owner');
    const owner = await readOwnerPublic(join(dir, 'owner', 'owner.pub'));
    const enrolledAt = Date.now() + 3_600_000;
    const issued: number[] = [];
    await using _agent = await serveControl(join(dir, 'run', 'control.sock'), {
      'GET /status': () => KNOWN,
      'POST /revocations': (_query, document) => {
        const revocation = readRevocation(document, [owner]);
        issued.push(revocation.issuedAt);
        const isOlder = revocation.issuedAt < enrolledAt;
        const outlived = isOlder ? { outlivedBy: enrolledAt } : {};
        return { revocation, isNews: true, wasMember: !isOlder, isPublished: true, ...outlived };
      },
    });
    const { exit, out } = await revoke('node-b', '--reason', 'lost');
    expect({ exit, issued }).toEqual({ exit: 0, issued: [expect.any(Number), enrolledAt] });
    expect(out).toContain('its lanes are cut');
  });

  it('revoke takes no name that the agent does not know, unless told that the node is absent', async () => {
    await init('owner');
    await config('owner');
    const asked: unknown[] = [];
    await using _agent = await serveControl(join(dir, 'run', 'control.sock'), {
      'GET /status': () => KNOWN,
      'POST /revocations': (_query, document) => {
        asked.push(document);
        throw new TidelockError('REVOCATION_REFUSED', { op: 'x', message: 'No.', hint: 'Why?' });
      },
    });
    const slip = await revoke('node-bb', '--reason', 'lost');
    expect(slip.exit).toBe(2);
    expect(slip.err).toMatch(/USAGE: .*knows no node node-bb, but node-a, node-b/);
    expect(asked).toEqual([]);
    const refused = await revoke('node-bb', '--reason', 'lost', '--absent');
    expect(refused).toMatchObject({
      exit: 3,
      err: expect.stringMatching(/REVOCATION_REFUSED: No\./),
    });
    expect(asked).toHaveLength(1);
  });

  it('revoke asks for a name, a reason, an owner that counts and an agent that runs', async () => {
    await init('owner');
    await config('owner');
    expect((await revoke('node-b')).err).toMatch(/USAGE: .*--reason/);
    expect((await revoke('Node B', '--reason', 'x')).err).toMatch(/USAGE: .*node name/);
    expect((await revoke('node-b', '--reason', '')).err).toMatch(/USAGE: .*reason/);
    const alone = await revoke('node-b', '--reason', 'x');
    expect(alone.exit).toBe(5);
    expect(alone.err).toMatch(/AGENT_UNREACHABLE/);
    await init('other');
    await config('other');
    expect((await revoke('node-b', '--reason', 'x')).err).toMatch(
      /OWNER_KEY_INVALID: Cannot revoke node-b: owner \S+ is not among/,
    );
  });
});
