// `tidelock evidence nitro` as a person runs it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { nitroDocument, nitroRootDigest } from '#attest/testdata/nitro.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-nitro-'));
  await writeFile(join(dir, 'document.cbor'), nitroDocument());
  await writeFile(join(dir, 'cut.cbor'), nitroDocument().subarray(0, 900));
  const pcrs = { 0: ['01'.repeat(48)] };
  await writeFile(join(dir, 'policy.json'), JSON.stringify({ v: 1, pcrs }));
});
afterAll(() => rm(dir, { recursive: true }));

const evidence = (...argv: string[]) => callIn(dir, ['evidence', 'nitro', ...argv]);

const GOOD = [
  'document.cbor',
  '--root-digest',
  hex(nitroRootDigest),
  '--at',
  '2026-01-31T12:00:00Z',
];

it('evidence nitro prints verdict, vector, checks and claims', async () => {
  const asked = ['--policy', 'policy.json', '--nonce', `0x${hex(Buffer.from('nonce'))}`];
  const { exit, out } = await evidence(...GOOD, ...asked, '-o', 'json');
  expect(exit).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    kind: 'Nitro',
    verdict: 'affirming',
    vector: { hardware: 2, executables: 3 },
    claims: { module_id: 'i-0.enc0' },
  });
});

it('evidence nitro ends with 3 for another root, nonce or time, and says which', async () => {
  const { exit, out } = await evidence('document.cbor', '--at', '2026-01-31T12:00:00Z');
  expect(exit).toBe(3);
  expect(out).toMatch(/fail +certificate root/);
  expect((await evidence(...GOOD, '--nonce', '00ff')).exit).toBe(3);
  expect((await evidence(...GOOD.slice(0, 3))).exit).toBe(3);
});

it('evidence nitro ends with 4 for a document cut short, 2 for flags that say nothing', async () => {
  const cut = await evidence('cut.cbor');
  expect(cut).toMatchObject({ exit: 4, out: '' });
  expect(cut.err).toContain('EVIDENCE_MALFORMED');
  expect((await evidence('document.cbor', '--nonce', 'xyz')).exit).toBe(2);
  expect((await evidence('document.cbor', '--root-digest', '00')).exit).toBe(2);
  expect((await evidence('document.cbor', '--policy', 'document.cbor')).exit).toBe(2);
});
