// The policy verbs and what judges by a reference policy, as a person runs them.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signingKeyId } from '#agent/base/asymmetric.ts';
import { b64url, hex } from '#agent/base/bytes.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { writeEventLog, type EventToWrite } from '#attest/eventlog/write.ts';
import { reportText } from '#attest/report.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { updatedBoot } from '#attest/testdata/referencePolicy.ts';
import { secureBoot, textEvent } from '#attest/testdata/uefi.ts';
import { reportOwner, signedReport } from '#attest/testdata/reportFixture.ts';
import { callIn } from './calling.fixture.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-policy-'));
  await writeBoot('golden', BOOT);
  await writeBoot('update', updatedBoot(4, 'next boot loader'));
  expect(await exitOf('init', '--domain', 'd', '--cluster', 'c', '--out', 'owner')).toBe(0);
  expect(await exitOf('init', '--domain', 'd', '--cluster', 'c', '--out', 'other')).toBe(0);
  expect(await exitOf(...FROM, ...GOLDEN, '--out', 'reference.json', ...KEY)).toBe(0);
});
afterAll(() => rm(dir, { recursive: true }));

const FROM = ['policy', 'from-evidence'] as const;
const GOLDEN = ['--eventlog', 'golden.bin', '--pcrs', 'golden.json'] as const;
const KEY = ['--owner-key', 'owner/owner.key'] as const;
const CHECK = ['policy', 'check', 'reference.json', '--owner', 'owner/owner.pub'] as const;

async function writeBoot(name: string, boot: readonly EventToWrite[]): Promise<void> {
  const log = writeEventLog(boot, ['sha256']);
  const values = Array.from(replay(parseEventLog(log), 'sha256'), ([pcr, value]) => [
    pcr,
    hex(value),
  ]);
  await writeFile(join(dir, `${name}.bin`), log);
  await writeFile(
    join(dir, `${name}.json`),
    JSON.stringify({ sha256: Object.fromEntries(values) }),
  );
}

const tidelock = (...argv: string[]) => callIn(dir, argv);
const exitOf = async (...argv: string[]): Promise<number> => (await tidelock(...argv)).exit;
const jsonOf = async (...argv: string[]): Promise<unknown> =>
  JSON.parse((await tidelock(...argv, '-o', 'json')).out);

describe('tidelock policy', () => {
  it('policy check affirms the golden boot and names what an update measured instead', async () => {
    expect(await jsonOf(...CHECK, ...GOLDEN)).toMatchObject({ verdict: 'affirming' });
    const { exit, out } = await tidelock(
      ...CHECK,
      '--eventlog',
      'update.bin',
      '--pcrs',
      'update.json',
    );
    expect(exit).toBe(3);
    expect(out).toMatch(
      /^fail +PCR 4 +PCR 4: boot loader digest \w{8}\.\. .* not among the 1 enrolled/m,
    );
  });

  it('policy check believes no log without values, and no policy of a stranger', async () => {
    expect(await jsonOf(...CHECK, '--eventlog', 'golden.bin')).toMatchObject({ verdict: 'none' });
    expect(await exitOf(...CHECK, '--eventlog', 'golden.bin', '--pcrs', 'update.json')).toBe(3);
    const stranger = ['policy', 'check', 'reference.json', '--owner', 'other/owner.pub'];
    const { exit, err } = await tidelock(...stranger, ...GOLDEN);
    expect({ exit, err }).toMatchObject({
      exit: 3,
      err: expect.stringContaining('SIGNATURE_INVALID'),
    });
  });

  it('policy check tells a draft and a missing --owner from a policy of a stranger', async () => {
    expect(await exitOf(...FROM, ...GOLDEN, '--out', 'unsigned.json')).toBe(0);
    const draft = ['policy', 'check', 'unsigned.json', ...CHECK.slice(3), ...GOLDEN];
    expect(await tidelock(...draft)).toMatchObject({
      exit: 4,
      err: expect.stringMatching(/draft.*\n.*tidelock policy sign/) as string,
    });
    await writeFile(join(dir, 'report-0.json'), reportText(signedReport()));
    const noOwner = await tidelock('verify', 'report-0.json', '--reference', 'reference.json');
    expect(noOwner).toMatchObject({ exit: 2, err: expect.stringContaining('--owner') as string });
  });

  it('policy from-evidence and policy sign make no directories', async () => {
    const out = ['--out', 'missing/x.json'];
    const state = { exit: 6, err: expect.stringContaining('there is no directory') as string };
    expect(await tidelock(...FROM, ...GOLDEN, ...out)).toMatchObject(state);
    expect(await tidelock('policy', 'sign', 'reference.json', ...KEY, ...out)).toMatchObject(state);
    await expect(stat(join(dir, 'missing'))).rejects.toThrow('ENOENT');
  });

  it('policy diff says what an update would change, and nothing of the golden boot', async () => {
    const diff = (log: string) => tidelock('policy', 'diff', 'reference.json', '--eventlog', log);
    expect(await diff('golden.bin')).toEqual({ exit: 0, out: 'no difference\n', err: '' });
    const { exit, out } = await diff('update.bin');
    expect(exit).toBe(3);
    expect(out).toMatch(/^changed +PCR 4 boot-stage-1: .* becomes .*\n1 difference\n$/);
  });

  it('an update announced and signed counts from its day on, and the old boot still counts', async () => {
    const announced = [
      '--base',
      'reference.json',
      '--eventlog',
      'update.bin',
      '--out',
      'draft.json',
    ];
    expect(await exitOf(...FROM, ...announced, '--not-before', '2030-01-01')).toBe(0);
    expect(await exitOf('policy', 'sign', 'draft.json', ...KEY, '--out', 'next.json')).toBe(0);
    const check = (log: string, at: string) =>
      exitOf(
        'policy',
        'check',
        'next.json',
        ...CHECK.slice(3),
        '--eventlog',
        `${log}.bin`,
        '--pcrs',
        `${log}.json`,
        '--at',
        at,
      );
    expect(await check('update', '2029-12-31')).toBe(3);
    expect(await check('update', '2030-01-01')).toBe(0);
    expect(await check('golden', '2030-01-01')).toBe(0);
    expect(await exitOf('policy', 'diff', 'draft.json', '--eventlog', 'update.bin')).toBe(3);
  });

  it('policy from-evidence takes no log that its TPM does not confirm, and overwrites nothing', async () => {
    const unconfirmed = ['--eventlog', 'update.bin', '--pcrs', 'golden.json', '--out', 'x.json'];
    const { exit, err } = await tidelock(...FROM, ...unconfirmed);
    expect(exit).toBe(3);
    expect(err).toContain('it does not replay to the sha256 values given for PCR 4');
    expect(await exitOf(...FROM, ...GOLDEN, '--out', 'reference.json')).toBe(2);
    expect(await exitOf(...FROM, ...GOLDEN, '--bank', 'sha384', '--out', 'x.json')).toBe(3);
  });

  it('policy from-evidence names the file of several that it cannot read', async () => {
    await writeFile(join(dir, 'short.bin'), 'no log');
    const out = ['--out', 'x.json'];
    const logs = ['--eventlog', 'golden.bin', '--eventlog', 'short.bin'];
    expect((await tidelock(...FROM, ...logs, ...out)).err).toContain('short.bin');
    const pcrs = ['--eventlog', 'golden.bin', '--pcrs', 'short.bin'];
    expect((await tidelock(...FROM, ...pcrs, ...out)).err).toContain('short.bin');
  });

  it('policy from-evidence takes no log that shows an edit, and none of a TDX guest', async () => {
    const edited = { ...secureBoot(0), measured: secureBoot(1).data };
    await writeBoot('edited', [...BOOT, edited]);
    const guest = writeEventLog([textEvent(2, 'EV_EFI_ACTION', 'boot option')], ['sha384']);
    await writeFile(join(dir, 'guest.bin'), guest);
    const from = (log: string, ...more: string[]) =>
      tidelock(...FROM, '--eventlog', `${log}.bin`, '--out', 'x.json', ...more);
    expect(await from('edited')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('DATA_NOT_COVERED: ') as string,
    });
    expect(await from('guest', '--bank', 'sha384')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('the event log of a TDX guest') as string,
    });
  });

  it('policy from-evidence signs no addition to a policy of somebody else', async () => {
    const added = ['--base', 'reference.json', '--eventlog', 'update.bin', '--out', 'added.json'];
    const stranger = await tidelock(...FROM, ...added, '--owner-key', 'other/owner.key');
    expect(stranger).toMatchObject({
      exit: 3,
      err: expect.stringContaining('SIGNATURE_INVALID') as string,
    });
    expect(await exitOf(...FROM, ...added, ...KEY)).toBe(0);
    const next = ['policy', 'check', 'added.json', ...CHECK.slice(3)];
    expect(await exitOf(...next, '--eventlog', 'update.bin', '--pcrs', 'update.json')).toBe(0);
  });

  it('policy from-evidence speaks only of registers whose values it was given', async () => {
    const { sha256 } = JSON.parse(await readFile(join(dir, 'golden.json'), 'utf8')) as {
      sha256: Record<string, string>;
    };
    const few = { sha256: { 0: sha256['0'], 4: sha256['4'] } };
    await writeFile(join(dir, 'few.json'), JSON.stringify(few));
    const given = ['--eventlog', 'golden.bin', '--pcrs', 'few.json'];
    expect(await jsonOf(...FROM, ...given, '--out', 'few-policy.json')).toMatchObject({
      policy: { registers: { 0: 'enforce', 4: 'enforce' } },
    });
    const added = await tidelock(...FROM, ...given, '--base', 'reference.json', '--out', 'x.json');
    expect(added).toMatchObject({
      exit: 3,
      err: expect.stringContaining('PCR 1, 2, 3, 5') as string,
    });
  });

  it('policy from-evidence reports everything that is wrong at once', async () => {
    const wrong = [
      '--eventlog',
      'golden.bin',
      '--out',
      'x.json',
      '--bank',
      'sha1',
      '--enforce',
      '10',
    ];
    const { exit, err } = await tidelock(...FROM, ...wrong, '--not-before', '2030-01-01');
    expect(exit).toBe(2);
    expect((await tidelock(...FROM, '--out', 'x.json')).err).toContain('--report FILE is missing');
    for (const each of ['--bank is "sha1"', '--enforce has "10"', '--base is missing']) {
      expect(err).toContain(each);
    }
  });
});

describe('tidelock config check', () => {
  const check = async (referenceFile: string) => {
    const config = {
      domain: 'd',
      cluster: 'c',
      owners: ['owner/owner.pub'],
      bus: { servers: ['nats://198.18.0.2:4222'] },
      attestation: { ekRoots: '.', policyFile: 'owner/attestation-policy.json', referenceFile },
      lanes: { address: '198.18.0.11' },
      inventory: { file: 'inventory.yaml' },
    };
    await writeFile(join(dir, 'config.yaml'), JSON.stringify(config));
    await writeFile(join(dir, 'inventory.yaml'), 'pods: []');
    return tidelock('config', 'check', '-c', 'config.yaml');
  };

  it('config check reads the reference policy, and warns when it is not there yet', async () => {
    expect(await check('reference.json')).toMatchObject({ exit: 0 });
    const { exit, out } = await check('missing.json');
    expect(exit).toBe(0);
    expect(out).toContain('warning: attestation.referenceFile: ENOENT');
  });

  it('config check refuses a reference policy of a stranger, and one of another bank', async () => {
    const stranger = ['--owner-key', 'other/owner.key', '--out', 'stranger.json'];
    expect(await exitOf(...FROM, '--eventlog', 'golden.bin', ...stranger)).toBe(0);
    expect(await check('stranger.json')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('the file is ') as string,
    });
    await writeFile(join(dir, 'sha384.bin'), writeEventLog(BOOT, ['sha384']));
    const bank = ['--bank', 'sha384', '--out', 'sha384.json', ...KEY];
    expect(await exitOf(...FROM, '--eventlog', 'sha384.bin', ...bank)).toBe(0);
    expect(await check('sha384.json')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('it is for bank sha384') as string,
    });
  });
});

describe('tidelock verify --reference', () => {
  it('verify judges a report by a reference policy of its reader’s owner', async () => {
    await writeFile(join(dir, 'report.json'), reportText(signedReport()));
    await writeFile(
      join(dir, 'report.pub'),
      JSON.stringify({
        apiVersion: 'tidelock/v1',
        kind: 'OwnerPublicKey',
        keyId: signingKeyId(reportOwner),
        ed25519: b64url(reportOwner.ed25519),
        mldsa65: b64url(reportOwner.mldsa65),
      }),
    );
    const vouched = ['--report', 'report.json', '--owner', 'report.pub', '--out', 'r.json'];
    const made = await tidelock(...FROM, ...vouched, ...KEY, '-o', 'json');
    expect(JSON.parse(made.out)).toMatchObject({
      unproven: [],
      policy: { registers: { 0: 'enforce', 11: 'enforce' } },
    });
    const unknown = ['--report', 'report.json', '--owner', 'owner/owner.pub', '--out', 'u.json'];
    expect(await tidelock(...FROM, ...unknown)).toMatchObject({
      exit: 3,
      err: expect.stringContaining('no owner that was given vouches for it') as string,
    });
    const owners = ['--owner', 'report.pub', '--owner', 'owner/owner.pub', '--at', 'issued'];
    const verify = ['verify', 'report.json', ...owners, '--reference'];
    const { exit, out } = await tidelock(...verify, 'r.json');
    expect(exit).toBe(0);
    expect(out).toMatch(
      /^ {2}pass +PCR 4 +PCR 4 \(boot loader\): \d+ events?, all as the reference/m,
    );
    expect(out.match(/TPM firmware/g)).toHaveLength(1);
    expect(await exitOf(...FROM, '--eventlog', 'update.bin', '--out', 'o.json', ...KEY)).toBe(0);
    expect(await exitOf(...verify, 'o.json')).toBe(3);
  });
});

it.each([['diff'], ['sign']])(
  'policy %s refuses a draft that nests without an end',
  async (verb) => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const snp = JSON.stringify({ v: 1, name: 'a', snp: 'deep' }).replace('"deep"', deep);
    await writeFile(join(dir, 'deep.json'), snp);
    const flags = verb === 'diff' ? ['--eventlog', 'golden.bin'] : [...KEY, '--out', 'signed.json'];
    const { exit, err } = await tidelock('policy', verb, 'deep.json', ...flags);
    expect(exit).not.toBe(1);
    expect(err).toMatch(/DOCUMENT_MALFORMED.* it is nested over 16 deep/s);
  },
);
