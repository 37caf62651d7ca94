import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FOLDER } from './documents.ts';
import { vectorFiles } from './files.ts';

interface Read {
  readonly vectors: readonly { readonly name: string; readonly compute: string }[];
}

describe('vectorFiles()', () => {
  let files: ReadonlyMap<string, string>;
  beforeAll(async () => {
    files = await vectorFiles();
  });

  it('vectorFiles() gives what is committed: a change of the protocol is a change of these files', () => {
    expect(readdirSync(FOLDER).toSorted()).toEqual([...files.keys()].toSorted());
    for (const [name, text] of files) {
      expect(text, name).toBe(readFileSync(join(FOLDER, name), 'utf8'));
    }
  });

  it('vectorFiles() computes what PROTOCOL 13 describes, all of it and nothing else', () => {
    const page = readFileSync('proxy/PROTOCOL.md', 'utf8');
    const table = page.slice(page.indexOf('| compute |')).split('\n').slice(2);
    const described = table.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    const computed = [...files.values()].flatMap((text) =>
      (JSON.parse(text) as Read).vectors.map(({ compute }) => compute),
    );
    expect(new Set(described)).toEqual(new Set(computed));
    expect(new Set(described).size).toBe(described.length);
  });
});
