// Tests of reading YAML that people wrote, broken YAML above all.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseYaml, readYaml, type YamlDocument } from './source.ts';

const YAMLISH = [
  'a',
  ':',
  '-',
  '[',
  ']',
  '{',
  '}',
  '&',
  '*',
  '!',
  '|',
  '>',
  "'",
  '"',
  '%',
  '#',
  ' ',
  '\n',
  '\t',
  '0',
];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-yaml-'));
});
afterAll(() => rm(dir, { recursive: true }));

function only(text: string): YamlDocument {
  const source = parseYaml('f.yaml', text);
  if (!('documents' in source) || source.documents[0] === undefined) throw new Error('no document');
  return source.documents[0];
}

describe('parseYaml()', () => {
  it('parseYaml() keeps the place of values and keys', () => {
    const doc = only('a: 1\nb:\n  - x\n  - c: 5\n');
    expect(doc.value).toEqual({ a: 1, b: ['x', { c: 5 }] });
    expect(doc.at(['b', 1, 'c'])).toBe('f.yaml:4:8');
    expect(doc.atKey(['b', 1, 'c'])).toBe('f.yaml:4:5');
    expect(doc.at(['b', 1, 'missing'])).toBe('f.yaml:4:5');
    expect(doc.at([])).toBe('f.yaml:1:1');
  });

  it.each([
    ['a duplicate key', 'a: 1\na: 2\n', /unique/],
    ['a tab indentation', 'a:\n\tb: 1\n', /tab/i],
    ['an open bracket', 'a: [1, 2\n', /flow/i],
    ['an unknown tag', 'a: !shell rm\n', /tag/i],
    ['an alias without anchor', 'a: *b\n', /alias/i],
    ['an alias bomb', bomb(), /alias/i],
    ['a nesting of 20,000 lists', '['.repeat(20_000), /./],
  ])('parseYaml() answers %s with problems', (_what, text, why) => {
    const source = parseYaml('f.yaml', text);
    if (!('problems' in source)) throw new Error('it was accepted');
    expect(source.problems[0]?.text).toMatch(why);
    expect(source.problems[0]?.at).toMatch(/^f\.yaml/);
  });

  it('parseYaml() returns what was written, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const source = parseYaml('f.yaml', stringify(value));
        expect('documents' in source && source.documents[0]?.value).toEqual(value);
      }),
    );
  });

  it('parseYaml() does not throw, whatever it is given', () => {
    const yamlish = fc.string({ unit: fc.constantFrom(...YAMLISH) });
    fc.assert(fc.property(yamlish, (text) => void parseYaml('f.yaml', text)));
  });

  it('parseYaml() lets no key reach a prototype', () => {
    const { value } = only('__proto__: {polluted: true}\n');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn({}, 'polluted')).toBe(false);
  });
});

describe('readYaml()', () => {
  it('readYaml() answers a missing file, a directory and a huge file with a problem', async () => {
    const huge = join(dir, 'huge.yaml');
    await writeFile(huge, Buffer.alloc((1 << 20) + 1, 0x20));
    for (const path of [join(dir, 'none.yaml'), dir, huge]) {
      const source = await readYaml(path);
      expect('problems' in source && source.problems).toHaveLength(1);
    }
  });
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 10; i += 1) {
    lines.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`);
  }
  return lines.join('\n');
}
