// Tests of writing new files.
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeNew } from './newFile.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-new-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('writeNew()', () => {
  it('writeNew() makes what is missing above the file, for its user alone', async () => {
    const file = join(dir, 'a', 'b', 'c.json');
    await writeNew(file, { n: 1 });
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ n: 1 });
    for (const made of ['a', 'a/b']) {
      expect((await stat(join(dir, made))).mode & 0o777).toBe(0o700);
    }
  });

  it('writeNew() names the first directory that cannot be made, and returns, in /proc too', async () => {
    await expect(writeNew('/proc/none/a/b/c.json', {})).rejects.toMatchObject({
      code: 'FILE_UNWRITABLE',
      message: expect.stringMatching(/mkdir '\/proc\/none'$/),
    });
  });

  it.each(['file/c.json', 'file/a/c.json', 'dangling/c.json', `${'x'.repeat(5_000)}/c.json`])(
    'writeNew() ends in FILE_UNWRITABLE for %.20s',
    async (path) => {
      await writeFile(join(dir, 'file'), '');
      await symlink(join(dir, 'none'), join(dir, 'dangling'));
      await expect(writeNew(join(dir, path), {})).rejects.toMatchObject({
        code: 'FILE_UNWRITABLE',
      });
    },
  );
});
