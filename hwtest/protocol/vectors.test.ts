import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateLaneKey, sealTo } from '#agent/base/asymmetric.ts';
import { seed } from './cast.ts';
import { FOLDER } from './documents.ts';
import { vectorFiles } from './files.ts';
import { unseal } from './sealed.ts';
import { agree, lanePublic, sealKeyFrom } from './statements.ts';

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

// The product draws its private keys, so that the vectors have to make theirs beside it.
describe('keys of the vectors', () => {
  it('LaneKey.agree() is what `pair` computes', () => {
    const [drawn, given] = [generateLaneKey(), seed('lane a')];
    expect(drawn.agree(lanePublic(given))).toEqual(agree(given, drawn.public));
  });

  it('sealTo() seals what `sealed` opens', async () => {
    const [key, info, plain] = [seed('seal a'), Buffer.from('info'), Buffer.from('plain')];
    const message = sealTo((await sealKeyFrom(key)).public, info, plain);
    expect(await unseal(key, info, message)).toEqual(plain);
    expect(await unseal(key, plain, message)).toBeUndefined();
  });
});
