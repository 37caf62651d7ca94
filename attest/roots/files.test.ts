import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filesIn, MAX_FILE_BYTES } from './files.ts';

let dir: string;
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'tl-files-'))));
afterEach(() => rm(dir, { recursive: true }));

const put = (name: string): Promise<void> => writeFile(join(dir, name), name);
const names = async (): Promise<string[]> =>
  (await filesIn(dir)).map((file) => file.slice(dir.length + 1));
const refusal = (state: string) => ({
  code: 'FILE_UNREADABLE',
  message: expect.stringContaining(state) as string,
});

it('filesIn() ends in a directory that links to itself, and names each file once', async () => {
  await put('root.crt');
  for (const link of ['a', 'b', 'c']) await symlink('.', join(dir, link));
  await symlink('root.crt', join(dir, 'same.crt'));
  await symlink('nowhere', join(dir, 'dangling'));
  await symlink('circle', join(dir, 'circle'));
  expect(await names()).toEqual(['root.crt']);
});

it('filesIn() follows links to what lies elsewhere', async () => {
  await mkdir(join(dir, 'in'));
  await mkdir(join(dir, 'elsewhere'));
  await put('elsewhere/intermediate.crt');
  await put('root.crt');
  await symlink('../elsewhere', join(dir, 'in', 'makers'));
  await symlink('../root.crt', join(dir, 'in', 'root.crt'));
  const inside = (await filesIn(join(dir, 'in'))).map((file) => file.slice(dir.length + 1));
  expect(inside).toEqual(['in/makers/intermediate.crt', 'in/root.crt']);
});

it('filesIn() reads a mounted ConfigMap once, by the names of its keys', async () => {
  await mkdir(join(dir, '..2026_11'));
  await put('..2026_11/root.crt');
  await symlink('..2026_11', join(dir, '..data'));
  await symlink('..data/root.crt', join(dir, 'root.crt'));
  expect(await names()).toEqual(['root.crt']);
});

it('filesIn() refuses too many entries, too many bytes and too many levels', async () => {
  for (let i = 0; i < 5; i += 1) {
    await put(`large-${i}`);
    await truncate(join(dir, `large-${i}`), MAX_FILE_BYTES);
  }
  await expect(filesIn(dir)).rejects.toMatchObject(refusal('more than 16 MiB'));
  const deep = join(dir, 'a/a/a/a/a/a/a/a/a');
  await mkdir(deep, { recursive: true });
  await expect(filesIn(dir)).rejects.toMatchObject(refusal('more than 8 levels'));
  await mkdir(join(dir, '0'));
  await Promise.all(Array.from({ length: 4097 }, (_, i) => mkdir(join(dir, '0', String(i)))));
  await expect(filesIn(dir)).rejects.toMatchObject(refusal('more than 4096 entries'));
});
