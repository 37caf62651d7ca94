import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { signDocument } from '#agent/base/signed.ts';
import { readOwnerKey, readOwnerPublic } from '#agent/owner.ts';
import { ekAuthoritiesOf, readDelegation } from '#attest/delegation.ts';
import { ENROLMENT_KIND, type Enrolment } from '#attest/enrolment.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { endorsedBy } from '#attest/testdata/endorsed.ts';
import { callIn, configBy } from './calling.fixture.ts';

let dir: string;
const keys = makeKeys('P-256');
const model: Enrolment = {
  v: 1,
  domain: 'example.org',
  cluster: 'demo',
  node: 'golden' as NodeName,
  ekDigest: '0'.repeat(64),
  akName: '0'.repeat(68),
  reference: { bank: 'sha256', pcrs: { 4: 'ab'.repeat(32), 7: 'cd'.repeat(32) } },
  issuedAt: 1,
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-delegate-'));
  await callIn(dir, ['init', '--domain', 'example.org', '--cluster', 'demo', '--out', 'owner']);
  await mkdir(join(dir, 'roots'));
  await mkdir(join(dir, 'empty'));
  await root('maker');
  await writeFile(join(dir, 'config.json'), JSON.stringify(config()));
  await writeModel(model);
});
afterEach(() => rm(dir, { recursive: true }));

const config = (attestation: object = {}) => ({
  ...configBy(),
  attestation: {
    ekRoots: 'roots',
    policyFile: 'owner/attestation-policy.json',
    enrolmentFile: 'model.json',
    ...attestation,
  },
  lanes: { address: '198.18.0.11', podNetworks: ['198.19.0.0/16'] },
});

async function root(name: string): Promise<void> {
  const { pem } = makeCertificate({ subject: { CN: name }, keys, ca: true });
  await writeFile(join(dir, 'roots', `${name}.pem`), pem);
}

async function writeModel(enrolment: Enrolment): Promise<void> {
  const owner = await readOwnerKey(join(dir, 'owner', 'owner.key'));
  const document = signDocument(ENROLMENT_KIND, enrolment, owner);
  await writeFile(join(dir, 'model.json'), JSON.stringify(document));
}

const delegate = (...more: string[]) =>
  callIn(dir, [
    'delegate',
    '--config',
    'config.json',
    '--owner',
    'owner/owner.key',
    '--out',
    'delegation.json',
    ...more,
  ]);

const read = async () =>
  readDelegation(JSON.parse(await readFile(join(dir, 'delegation.json'), 'utf8')), [
    await readOwnerPublic(join(dir, 'owner', 'owner.pub')),
  ]);

describe('tidelock delegate', () => {
  it('delegate signs what every node takes that pins the owner', async () => {
    const names = ['--name', 'worker-*', '--name', 'node-c'];
    const { exit, out, err } = await delegate(...names, '--for', '7d');
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toMatch(/^two members may enrol worker-\*, node-c of demo in example\.org until /);
    const delegation = await read();
    expect(delegation).toMatchObject({
      domain: 'example.org',
      cluster: 'demo',
      nodes: ['worker-*', 'node-c'],
      reference: model.reference,
    });
    expect(delegation.until - delegation.issuedAt).toBe(7 * 86_400_000);
    expect(ekAuthoritiesOf(delegation).map(({ subject }) => subject)).toEqual(['CN=maker']);
  });

  it('delegate says the same as JSON', async () => {
    const { exit, out } = await delegate('--name', 'worker-*', '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ kind: 'Delegation', delegation: await read() });
  });

  it.each<[string, string[], number, RegExp]>([
    ['no name', [], 2, /it needs --name/],
    ['every name', ['--name', '*'], 2, /--name \*: must be a node name/],
    ['a star inside', ['--name', 'a*b'], 2, /--name a\*b: must be a node name/],
    [
      'too many names',
      Array.from({ length: 65 }, (_, n) => ['--name', `n${n}`]).flat(),
      2,
      /at most 64/,
    ],
    ['no time', ['--name', 'a', '--for', 'long'], 2, /--for takes/],
    ['no roots', ['--name', 'a', '--roots', 'empty'], 2, /holds 0 certificates/],
    ['roots that are not there', ['--name', 'a', '--roots', 'nowhere'], 2, /CONFIG_INVALID/],
    ['a model that is none', ['--name', 'a', '--like', 'config.json'], 4, /DOCUMENT_MALFORMED/],
  ])('delegate refuses %s and writes nothing', async (_what, more, code, why) => {
    const { exit, err } = await delegate(...more);
    expect(err).toMatch(why);
    expect(exit).toBe(code);
    await expect(stat(join(dir, 'delegation.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('delegate refuses more makers than an enrolment should carry', async () => {
    for (let n = 0; n < 17; n += 1) await root(`maker-${n}`);
    expect((await delegate('--name', 'a')).err).toMatch(/from 1 to 16/);
  });

  it('delegate refuses a model of another cluster, and one by two agents', async () => {
    await writeModel({ ...model, cluster: 'other' });
    expect((await delegate('--name', 'a')).err).toMatch(/it is for other in example\.org/);
    await writeFile(join(dir, 'model.json'), JSON.stringify(endorsedBy()));
    expect((await delegate('--name', 'a')).err).toMatch(/DOCUMENT_MALFORMED/);
  });

  it('delegate overwrites nothing', async () => {
    await delegate('--name', 'a');
    expect((await delegate('--name', 'b')).err).toMatch(/^error FILE_EXISTS: /);
    expect((await read()).nodes).toEqual(['a']);
  });
});

describe('tidelock config check', () => {
  const check = async (attestation: object) => {
    await writeFile(join(dir, 'inventory.yaml'), 'pods: []');
    await writeFile(join(dir, 'config.json'), JSON.stringify(config(attestation)));
    return callIn(dir, ['config', 'check', '--config', 'config.json']);
  };

  it('config check tells of a delegation that is not there, and of the remedy of a node without enrolment', async () => {
    const enrolmentFile = 'none.json';
    const { out } = await check({ enrolmentFile, delegationFile: 'delegation.json' });
    expect(out).toMatch(/attestation\.delegationFile: ENOENT.*tidelock delegate writes one/);
    expect(out).toMatch(/attestation\.enrolmentFile: ENOENT.*two members enrol the node/);
  });

  it('config check refuses a delegation that no owner signed', async () => {
    await delegate('--name', 'a');
    const text = await readFile(join(dir, 'delegation.json'), 'utf8');
    await writeFile(join(dir, 'delegation.json'), text.replace('"a"', '"b"'));
    const { exit, err } = await check({ enrolmentFile: 'x', delegationFile: 'delegation.json' });
    expect(err).toMatch(/SIGNATURE_INVALID/);
    expect(exit).toBe(3);
  });

  it('config check refuses an enrolment by two agents where no delegation is named', async () => {
    await writeFile(join(dir, 'model.json'), JSON.stringify(endorsedBy()));
    expect((await check({})).err).toMatch(/attestation\.delegationFile names no delegation/);
  });
});
