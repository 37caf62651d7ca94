// The verb as a user runs it, on files: reports of the tests' own, and the shared ones where they are.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { writeOwner } from '#agent/owner.ts';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';
import { makeSnpReport } from '#attest/testdata/snp.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-snp-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function evidenceSnp(...argv: string[]) {
  const { exit, out } = await callIn(dir, ['evidence', 'snp', ...argv, '-o', 'json']);
  return { exit, ...(JSON.parse(out) as Printed) };
}

interface Printed {
  readonly verdict?: string;
  readonly vector?: Readonly<Record<string, number>>;
  readonly checks?: readonly { readonly name: string; readonly result: string }[];
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly message: string };
}

const failed = ({ checks = [] }: Printed): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

describe('tidelock evidence snp', () => {
  const made = makeSnpReport({ version: 5 });
  const AT = ['--at', '2026-01-01T00:00:00Z'];

  beforeEach(async () => {
    await writeFile(join(dir, 'report.bin'), made.report);
    await writeFile(join(dir, 'vek.der'), made.vek.der);
    await writeFile(join(dir, 'ask.der'), made.ask.der);
    await writeFile(join(dir, 'ark.pem'), made.ark.pem);
    await writeFile(join(dir, 'all.pem'), made.vek.pem + made.ask.pem + made.ark.pem);
    await writeFile(join(dir, 'policy.json'), JSON.stringify({ v: 1, roots: [made.root] }));
    await writeFile(join(dir, 'cut.bin'), made.report.subarray(0, 900));
  });

  it('judges a report with its chain in one file or in several', async () => {
    const single = ['report.bin', '--vek', 'all.pem', '--policy', 'policy.json', ...AT];
    const several = ['--vek', 'vek.der', '--chain', 'ask.der', '--chain', 'ark.pem'];
    for (const argv of [single, ['report.bin', ...several, '--policy', 'policy.json', ...AT]]) {
      const printed = await evidenceSnp(...argv);
      expect(printed).toMatchObject({ exit: 0, verdict: 'warning', claims: { version: 5 } });
      expect(printed.vector).toMatchObject({ hardware: 32, executables: 0, 'runtime-opaque': 2 });
      expect(failed(printed)).toEqual([]);
    }
  });

  it('ends with 3 for a root of nobody’s, an expired chain, and no certificate', async () => {
    const unknown = await evidenceSnp('report.bin', '--vek', 'all.pem', ...AT);
    expect(unknown).toMatchObject({ exit: 3, verdict: 'contraindicated', claims: {} });
    expect(failed(unknown)).toEqual(['AMD root']);
    const late = [
      'report.bin',
      '--vek',
      'all.pem',
      '--policy',
      'policy.json',
      '--at',
      '2099-01-01',
    ];
    expect(failed(await evidenceSnp(...late))).toEqual(['validity']);
    expect(await evidenceSnp('report.bin')).toMatchObject({ exit: 3, verdict: 'none', claims: {} });
  });

  it('ends with 4 for what is no report and no certificate, with 2 for what is no policy', async () => {
    expect(await evidenceSnp('cut.bin', '--vek', 'all.pem')).toMatchObject({
      exit: 4,
      error: { code: 'EVIDENCE_MALFORMED' },
    });
    expect(await evidenceSnp('report.bin', '--vek', 'cut.bin')).toMatchObject({ exit: 4 });
    await writeFile(join(dir, 'bad.json'), '{"v":1,"measurment":["00"]}');
    expect(await evidenceSnp('report.bin', '--policy', 'bad.json')).toMatchObject({
      exit: 2,
      error: { code: 'POLICY_INVALID', message: expect.stringContaining('measurment') },
    });
  });

  it('takes no policy that nobody signed where an owner is named', async () => {
    await writeOwner(join(dir, 'owner.key'), join(dir, 'owner.pub'), generateSigningKey());
    const argv = ['report.bin', '--vek', 'all.pem', '--policy', 'policy.json', ...AT];
    expect(await evidenceSnp(...argv, '--owner', 'owner.pub')).toMatchObject({
      exit: 3,
      error: { code: 'SIGNATURE_INVALID' },
    });
  });

  it.skipIf(noVectors)(`judges real reports ${noVectors ?? ''}`, async () => {
    const shared = resolve(vectorDirectory('snp'));
    const judge = (name: string, chain = 'ark_ask_milan_chain.pem') =>
      evidenceSnp(
        join(shared, `${name}.report.bin`),
        '--vek',
        join(shared, `${name}.vek.der`),
        '--chain',
        join(shared, chain),
        '--at',
        '2026-06-01',
      );
    expect(await judge('virtee-milan')).toMatchObject({ exit: 0, verdict: 'warning' });
    expect(await judge('coco-milan', 'certs')).toMatchObject({ exit: 0, verdict: 'warning' });
    const foreign = await judge('virtee-milan', 'certs/genoa_ark.der');
    expect(foreign).toMatchObject({ exit: 3, verdict: 'contraindicated', claims: {} });
    expect(failed(foreign)).toEqual(['certificate chain']);
    const debug = await judge('gosev-milan');
    expect(debug).toMatchObject({ exit: 3, verdict: 'contraindicated' });
    expect(failed(debug)).toEqual(['debug']);
  });
});
