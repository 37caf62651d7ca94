import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory } from './directory.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-directory-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('makeDirectory()', () => {
  it('makeDirectory() is done when it exists, when another makes it, and for relative paths', async () => {
    const path = relative(process.cwd(), join(dir, 'a', 'b'));
    await Promise.all([makeDirectory(path), makeDirectory(path), makeDirectory(join(dir, 'a'))]);
    await makeDirectory(path);
    expect((await stat(join(dir, 'a', 'b'))).isDirectory()).toBe(true);
  });
});
