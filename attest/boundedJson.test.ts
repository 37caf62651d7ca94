import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { readBounded } from './boundedJson.ts';

const read = (text: string) => readBounded(utf8(text), 1000);

describe('readBounded()', () => {
  it('gives whatever JSON says once', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        const json = readBounded(utf8(text), 1 << 20);
        expect(json).toEqual({ value: JSON.parse(text) as unknown });
      }),
    );
    expect(read('{"a:{\\":":[{},{"__proto__":1}]}')).toHaveProperty('value');
  });

  it.each([
    ['{"a":1,"a":1}'],
    ['{"a":1,"\\u0061":2}'],
    ['[{"b":{"__proto__":1,"__proto__":2}}]'],
    ['{"a":{"b":1},"a":{"b":1,"c":2}}'],
  ])('refuses %s, of which readers would take one or the other', (text) => {
    expect(read(text)).toEqual({ why: 'ambiguous: a member stands twice in one object' });
  });

  it.each([
    ['{"a":1', 'not JSON, or cut short'],
    [`"${'a'.repeat(1000)}"`, 'over 1000 bytes'],
    [`${'['.repeat(17)}${']'.repeat(17)}`, 'nested over 16 deep'],
  ])('says why it refuses %s', (text, why) => {
    expect(read(text)).toEqual({ why });
  });
});
