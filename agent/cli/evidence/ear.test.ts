// Attestation results as a person makes and reads them: `tidelock verify --ear`, `tidelock evidence ear`.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { writeOwner } from '#agent/owner.ts';
import { reportText } from '#attest/report.ts';
import { reportFixture, signedReport } from '#attest/testdata/reportFixture.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-ear-'));
  for (const name of ['auditor', 'other']) {
    await writeOwner(join(dir, `${name}.key`), join(dir, `${name}.pub`), generateSigningKey());
  }
  await writeFile(join(dir, 'report.json'), reportText(signedReport()));
});
afterAll(() => rm(dir, { recursive: true }));

const tidelock = (...argv: string[]) => callIn(dir, argv);

const verifyTo = (...argv: string[]) =>
  tidelock('verify', 'report.json', '--at', 'issued', ...argv);
const SIGNED = ['--ear', 'result.jwt', '--sign', 'auditor.key'] as const;

describe('tidelock evidence ear', () => {
  it('reads what tidelock verify --ear wrote: the same verdict, checks and vector', async () => {
    const verified = await verifyTo(...SIGNED, '-o', 'json');
    const { verdict, vector } = JSON.parse(verified.out) as { verdict: string; vector: object };
    const read = await tidelock(
      'evidence',
      'ear',
      'result.jwt',
      '--key',
      'auditor.pub',
      '--at',
      new Date(reportFixture.madeAtMs + 2000).toISOString(),
      '-o',
      'json',
    );
    expect(read.exit).toBe(verified.exit);
    expect(JSON.parse(read.out)).toMatchObject({
      kind: 'Ear',
      verdict,
      vector,
      claims: {
        eat_profile: 'tag:github.com,2023:veraison/ear',
        submods: { 'node-a': { 'ear.status': verdict, 'ear.trustworthiness-vector': vector } },
      },
    });
  });

  it('refuses a result by another verifier, and one that was changed', async () => {
    await verifyTo(...SIGNED);
    const other = await tidelock(
      'evidence',
      'ear',
      'result.jwt',
      '--key',
      'other.pub',
      '-o',
      'json',
    );
    expect(other.exit).toBe(3);
    expect(JSON.parse(other.out)).toMatchObject({ verdict: 'contraindicated', claims: {} });
    const token = await readFile(join(dir, 'result.jwt'), 'utf8');
    await writeFile(join(dir, 'cut.jwt'), token.slice(0, token.lastIndexOf('.')));
    const cut = await tidelock('evidence', 'ear', 'cut.jwt', '--key', 'auditor.pub');
    expect(cut).toMatchObject({ exit: 4, out: '' });
  });

  it('cannot be misled about the key: a private one is refused', async () => {
    await verifyTo(...SIGNED);
    const { exit, err } = await tidelock('evidence', 'ear', 'result.jwt', '--key', 'auditor.key');
    expect(exit).toBe(4);
    expect(err).toMatch(
      /^error OWNER_KEY_INVALID: .*: this is the private key.*; give owner\.pub\n/,
    );
    const seeds = JSON.parse(await readFile(join(dir, 'auditor.key'), 'utf8')) as Readonly<
      Record<'ed25519' | 'mldsa65', string>
    >;
    for (const seed of [seeds.ed25519, seeds.mldsa65]) expect(err).not.toContain(seed);
  });
});

describe('tidelock verify --ear', () => {
  it('writes the verdict on a report that was changed, too', async () => {
    const changed = reportText(signedReport()).replace('swtpm', 'swtqm');
    await writeFile(join(dir, 'changed.json'), changed);
    const verified = await tidelock('verify', 'changed.json', ...SIGNED);
    expect(verified.exit).toBe(3);
    const read = await tidelock(
      'evidence',
      'ear',
      'result.jwt',
      '--key',
      'auditor.pub',
      '-o',
      'json',
    );
    expect(JSON.parse(read.out)).toMatchObject({
      verdict: 'contraindicated',
      claims: { submods: { report: { 'ear.status': 'contraindicated' } } },
    });
  });

  it('asks for the key with the file and the file with the key', async () => {
    for (const flags of [SIGNED.slice(0, 2), SIGNED.slice(2)]) {
      const { exit, err } = await verifyTo(...flags);
      expect(exit).toBe(2);
      expect(err).toContain('--ear and --sign go together');
    }
  });

  it('does not sign with a public half', async () => {
    expect((await verifyTo('--ear', 'x.jwt', '--sign', 'auditor.pub')).exit).toBe(4);
  });
});
