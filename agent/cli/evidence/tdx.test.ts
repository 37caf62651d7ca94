// `tidelock evidence tdx` as a person runs it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { writeOwner } from '#agent/owner.ts';
import { tdxCollateral, tdxQuote } from '#attest/testdata/tdx.ts';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-tdx-'));
  await writeFile(join(dir, 'quote.dat'), tdxQuote());
  await writeFile(join(dir, 'cut.dat'), tdxQuote().subarray(0, 900));
  await writeFile(join(dir, 'collateral.json'), tdxCollateral());
  await writeFile(join(dir, 'policy.json'), JSON.stringify({ v: 1, mr_tdd: [] }));
});
afterAll(() => rm(dir, { recursive: true }));

const evidence = (...argv: string[]) => callIn(dir, ['evidence', 'tdx', ...argv]);

it('evidence tdx ends with 3 for a root that is not Intel’s, says so and claims nothing', async () => {
  const argv = ['quote.dat', '--collateral', 'collateral.json', '--at', '2026-01-31T12:00:00Z'];
  const { exit, out } = await evidence(...argv, '-o', 'json');
  expect(exit).toBe(3);
  const { checks, ...document } = JSON.parse(out) as { checks: { name: string; result: string }[] };
  expect(document).toMatchObject({ kind: 'Tdx', verdict: 'contraindicated', claims: {} });
  expect(checks.filter(({ result }) => result === 'fail').map(({ name }) => name)).toEqual([
    'Intel root',
  ]);
});

it('evidence tdx ends with 4 for a quote or collateral that is none', async () => {
  expect(await evidence('cut.dat')).toMatchObject({ exit: 4 });
  expect(await evidence('quote.dat', '--collateral', 'cut.dat')).toMatchObject({ exit: 4 });
  expect(await evidence('quote.dat', '--ccel', 'cut.dat')).toMatchObject({ exit: 4 });
});

it('evidence tdx ends with 2 for a policy, a time or a file that is none', async () => {
  const { exit, err } = await evidence('quote.dat', '--policy', 'policy.json');
  expect(exit).toBe(2);
  expect(err).toContain('mr_tdd');
  expect(await evidence('quote.dat', '--at', 'soon')).toMatchObject({ exit: 2 });
  expect(await evidence('missing.dat')).toMatchObject({ exit: 2 });
});

it('evidence tdx takes no policy that nobody signed where an owner is named', async () => {
  await writeOwner(join(dir, 'owner.key'), join(dir, 'owner.pub'), generateSigningKey());
  await writeFile(join(dir, 'plain.json'), JSON.stringify({ v: 1, allow_debug: true }));
  const named = ['--policy', 'plain.json', '--owner', 'owner.pub'];
  const { exit, err } = await evidence('quote.dat', ...named);
  expect(exit).toBe(3);
  expect(err).toContain('SIGNATURE_INVALID');
});

describe.skipIf(noVectors !== undefined)(
  `evidence tdx of vectors${noVectors ? `: ${noVectors}` : ''}`,
  () => {
    const file = (name: string): string => resolve(vectorDirectory('tdx'), name);
    const quote = file('phala_uptodate.dat');
    const argv = ['--collateral', file('phala_uptodate.dat.collateral.json'), '--at', '2025-06-20'];

    it('prints verdict, vector, checks and claims', async () => {
      const { exit, out } = await evidence(quote, ...argv, '-o', 'json');
      expect(exit).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        verdict: 'warning',
        vector: { hardware: 2, 'runtime-opaque': 2 },
        claims: { tcb_status: 'UpToDate', fmspc: 'b0c06f000000' },
      });
    });

    it('affirms what a policy of its own claims asks for', async () => {
      const { out } = await evidence(quote, ...argv, '-o', 'json');
      const { claims } = JSON.parse(out) as { claims: Record<string, string> };
      const asked = ['mr_td', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3', 'report_data'];
      const values = Object.fromEntries(asked.map((name) => [name, [claims[name]]]));
      await writeFile(join(dir, 'own.json'), JSON.stringify({ v: 1, ...values }));
      const judged = await evidence(quote, ...argv, '--policy', 'own.json');
      expect(judged).toMatchObject({ exit: 0 });
      expect(judged.out).toContain('verdict  affirming');
    });

    it('ends with 3 once the collateral is stale', async () => {
      const { exit, out } = await evidence(quote, ...argv.slice(0, 2), '--at', '2025-08-01');
      expect(exit).toBe(3);
      expect(out).toMatch(/fail +TCB info date/);
    });

    it('explains RTMRs by an event log', async () => {
      const ccel = resolve(vectorDirectory('ccel'), 'cos-113-intel-tdx.bin');
      const own = await evidence(
        file('cos-113-tdx-quote.dat'),
        '--at',
        '2026-01-01',
        '--ccel',
        ccel,
      );
      expect(own.exit).toBe(0);
      expect((await evidence(quote, ...argv, '--ccel', ccel)).exit).toBe(3);
    });
  },
);
