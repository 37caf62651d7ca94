// Tests of owner key files.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { signDocument, verifyDocument } from '#agent/base/signed.ts';
import { readOwnerKey, readOwnerPublic, writeOwner } from './owner.ts';

const key = generateSigningKey();
let dir: string;
let keyFile: string;
let pubFile: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-owner-'));
  keyFile = join(dir, 'owner.key');
  pubFile = join(dir, 'owner.pub');
  await writeOwner(keyFile, pubFile, key);
});
afterAll(() => rm(dir, { recursive: true }));

describe('writeOwner()', () => {
  it('writeOwner() keeps the key from everybody else', async () => {
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  });

  it('writeOwner() refuses to overwrite and changes nothing then', async () => {
    const before = await readFile(keyFile, 'utf8');
    const again = writeOwner(keyFile, join(dir, 'other.pub'), generateSigningKey());
    await expect(again).rejects.toMatchObject({ code: 'FILE_EXISTS', exitCode: 2 });
    expect(await readFile(keyFile, 'utf8')).toBe(before);
  });
});

describe('readOwnerKey()', () => {
  it('readOwnerKey() signs what readOwnerPublic() verifies', async () => {
    const read = await readOwnerKey(keyFile);
    const document = signDocument('enrolment', { node: 'a' }, read);
    expect(verifyDocument(document, 'enrolment', [await readOwnerPublic(pubFile)])).toEqual({
      node: 'a',
    });
  });

  it('readOwnerKey() refuses a changed, a wrong and a broken file without quoting it', async () => {
    const text = await readFile(keyFile, 'utf8');
    const { ed25519 } = JSON.parse(text) as { ed25519: string };
    const flipped = ed25519.startsWith('A') ? 'B' : 'A';
    const contents = [
      text.replace(ed25519, flipped + ed25519.slice(1)),
      await readFile(pubFile, 'utf8'),
      text.slice(0, -20),
      text.replace('"ed25519": "', '"ed25519": ["'),
      '',
    ];
    const file = join(dir, 'broken.key');
    for (const content of contents) {
      await writeFile(file, content);
      const error = await readOwnerKey(file).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'OWNER_KEY_INVALID' });
      expect(String(error)).not.toContain(ed25519.slice(1, 12));
    }
  });

  it('readOwnerKey() says so when it is given the public half', async () => {
    await expect(readOwnerKey(pubFile)).rejects.toMatchObject({
      code: 'OWNER_KEY_INVALID',
      message: expect.stringContaining('this is the public half; give owner.key'),
    });
  });
});
