// `tidelock evidence corim` as a person runs it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { writeCbor } from '#attest/testdata/cborWrite.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-corim-'));
  const comid = new Map([
    [1, new Map([[0, 'module']])],
    [4, new Map()],
  ]);
  await writeFile(join(dir, 'module.cbor'), writeCbor(comid));
  await writeFile(join(dir, 'text.cbor'), 'no manifest');
});
afterAll(() => rm(dir, { recursive: true }));

async function evidence(...argv: string[]) {
  const { exit, out } = await callIn(dir, ['evidence', 'corim', ...argv, '-o', 'json']);
  return { exit, document: JSON.parse(out) as unknown };
}

it('evidence corim shows what nobody signed, and does not call it good', async () => {
  expect(await evidence('module.cbor')).toMatchObject({
    exit: 3,
    document: {
      verdict: 'none',
      claims: {},
      manifest: { comid: { 'tag-identity': { id: 'module' }, triples: {} } },
    },
  });
});

it('evidence corim ends with 4 for what is no manifest or no key', async () => {
  const malformed = { exit: 4, document: { error: { code: 'EVIDENCE_MALFORMED' } } };
  expect(await evidence('text.cbor')).toMatchObject(malformed);
  expect(await evidence('module.cbor', '--key', 'text.cbor')).toMatchObject(malformed);
});
