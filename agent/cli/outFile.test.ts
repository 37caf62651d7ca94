import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { outFile } from './outFile.ts';

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'tl-out-'))));
afterAll(() => rm(dir, { recursive: true }));

it('outFile() gives the absolute path of a file in a directory that is there', async () => {
  expect(await outFile(dir, 'x.json')).toBe(join(dir, 'x.json'));
  expect(await outFile('/', join(dir, 'x.json'))).toBe(join(dir, 'x.json'));
});

it('outFile() refuses what lies in no directory, and makes none', async () => {
  const refused = expect.objectContaining({ code: 'FILE_UNWRITABLE' }) as Error;
  await writeFile(join(dir, 'file'), '');
  await expect(outFile(dir, 'missing/x.json')).rejects.toThrow(refused);
  await expect(outFile(dir, 'file/x.json')).rejects.toThrow(refused);
  expect(await readdir(dir)).toEqual(['file']);
});
