// Tests of reading documents from files.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDocument } from './documents.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-documents-'));
});
afterEach(() => rm(dir, { recursive: true }));

const missing = { code: 'ATTESTATION_UNUSABLE', message: 'Cannot x: y', hint: 'do z' } as const;

describe('readDocument()', () => {
  it('readDocument() gives the JSON of a file', async () => {
    await writeFile(join(dir, 'd.json'), '{"a":[1]}');
    expect(await readDocument(join(dir, 'd.json'), missing)).toEqual({ a: [1] });
  });

  it('readDocument() says what its caller says when there is no such file', async () => {
    await expect(readDocument(join(dir, 'd.json'), missing)).rejects.toMatchObject(missing);
    await expect(readDocument(join(dir, 'd.json'))).rejects.toMatchObject({
      code: 'DOCUMENT_MALFORMED',
    });
  });

  it.each([
    ['no JSON', '{'],
    ['nesting without an end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['more than a document may have', `"${'x'.repeat(1 << 20)}"`],
  ])('readDocument() calls a file that is there malformed for %s', async (_what, content) => {
    await writeFile(join(dir, 'd.json'), content);
    await expect(readDocument(join(dir, 'd.json'), missing)).rejects.toMatchObject({
      code: 'DOCUMENT_MALFORMED',
    });
  });
});
