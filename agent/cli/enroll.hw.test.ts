// `tidelock init` and `tidelock enroll` on a real software TPM, as an operator runs them.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readOwnerPublic } from '#agent/owner.ts';
import { readEnrolment } from '#attest/enrolment.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { createSwtpm, SWTPM_BANKS, type Swtpm } from '#attest/testdata/swtpm.ts';
import { runCommandLine } from './commandLine.ts';

let dir: string;
let swtpm: Swtpm;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-enroll-'));
  swtpm = await createSwtpm(join(dir, 'tpm'));
  await swtpm.measure(BOOT);
  await mkdir(join(dir, 'empty'));
  await writeFile(join(dir, 'eventlog'), writeEventLog(BOOT, SWTPM_BANKS));
  await tidelock('init', '--domain', 'example.org', '--cluster', 'demo', '--out', 'owner');
  await tidelock('init', '--domain', 'example.org', '--cluster', 'other', '--out', 'stranger');
});
afterAll(async () => {
  await swtpm.stop();
  await rm(dir, { recursive: true });
});

const enrolment = (): string => join(dir, 'state', 'enrolment', 'enrolment.json');
beforeEach(() => rm(join(dir, 'state'), { recursive: true, force: true }));

async function tidelock(...argv: string[]) {
  let out = '';
  let err = '';
  const exit = await runCommandLine(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    cwd: dir,
    stopSignal: () => new AbortController().signal,
  });
  return { exit, out, err };
}

async function enroll(over: Record<string, object> = {}, owner = 'owner/owner.key') {
  const config = {
    domain: 'example.org',
    cluster: 'demo',
    node: 'node-a',
    owners: ['owner/owner.pub'],
    bus: { servers: ['nats://198.18.0.2:4222'] },
    tpm: { tcti: swtpm.tcti, eventLog: 'eventlog' },
    lanes: { address: '198.18.0.11' },
    inventory: { file: 'inventory.yaml' },
    paths: { stateDir: 'state', runDir: 'run' },
    ...over,
    attestation: {
      ekRoots: 'tpm/ca',
      policyFile: 'owner/attestation-policy.json',
      ...over['attestation'],
    },
  };
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  return tidelock('enroll', '--config', 'config.json', '--owner', owner);
}

describe('tidelock enroll', () => {
  it('enroll writes what every agent that pins the owner accepts', async () => {
    const { exit, out, err } = await enroll();
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toMatch(/^enrolled node-a of demo in example\.org$/m);
    const owner = await readOwnerPublic(join(dir, 'owner', 'owner.pub'));
    const found = readEnrolment(JSON.parse(await readFile(enrolment(), 'utf8')), [owner]);
    expect(found).toMatchObject({ domain: 'example.org', cluster: 'demo', node: 'node-a' });
    expect(Object.keys(found.reference.pcrs)).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      '11',
    ]);
  });

  it('enroll leaves an enrolment that is there alone', async () => {
    await enroll();
    const before = await readFile(enrolment(), 'utf8');
    const { exit, err } = await enroll();
    expect(exit).toBe(2);
    expect(err).toMatch(/^error FILE_EXISTS: /);
    expect(await readFile(enrolment(), 'utf8')).toBe(before);
  });

  it.each<[string, Record<string, object>, string | undefined, number, RegExp]>([
    [
      'an owner whom no node pins',
      {},
      'stranger/owner.key',
      4,
      /OWNER_KEY_INVALID: .*not among the owners/,
    ],
    [
      'a policy of another owner',
      { attestation: { policyFile: 'stranger/attestation-policy.json' } },
      undefined,
      3,
      /SIGNATURE_INVALID/,
    ],
    [
      'a file that is no policy',
      { attestation: { policyFile: 'eventlog' } },
      undefined,
      4,
      /DOCUMENT_MALFORMED/,
    ],
    [
      'no roots at all',
      { attestation: { ekRoots: 'nowhere' } },
      undefined,
      2,
      /CONFIG_INVALID: Cannot read EK roots/,
    ],
    [
      'roots without the maker of this TPM',
      { attestation: { ekRoots: 'empty' } },
      undefined,
      3,
      /ENROLMENT_REFUSED: .*not among/,
    ],
    [
      'a TPM that is not there',
      { tpm: { tcti: 'swtpm:path=/nowhere.sock' } },
      undefined,
      5,
      /TPM_UNREACHABLE/,
    ],
  ])('enroll refuses %s and writes nothing', async (_what, over, owner, code, why) => {
    const { exit, err } = await enroll(over, owner);
    expect(err).toMatch(why);
    expect(exit).toBe(code);
    await expect(stat(enrolment())).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('enroll refuses a node without event log', async () => {
    const tpm = { tcti: swtpm.tcti, eventLog: 'none' };
    expect((await enroll({ tpm })).err).toMatch(/^error EVENTLOG_UNREADABLE: /);
  });
});
