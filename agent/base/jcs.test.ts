// RFC 8785 against the vectors of its author, and as properties.
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from './bytes.ts';
import { canonical, jcs, type Json } from './jcs.ts';
import { noVectors, vector } from './vectors.ts';

/** Any JSON value, with member names and strings that are well formed. */
const json = fc.jsonValue({ stringUnit: 'binary' }) as fc.Arbitrary<Json>;

describe.skipIf(noVectors)(`jcs() with published vectors ${noVectors ?? ''}`, () => {
  for (const name of ['arrays', 'french', 'structures', 'unicode', 'values', 'weird']) {
    it(`jcs() gives the published bytes for ${name}`, () => {
      const input = JSON.parse(vector(`jcs/input/${name}.json`).toString()) as Json;
      const published = vector(`jcs/outhex/${name}.txt`).toString().replaceAll(/\s/g, '');
      expect(hex(jcs(input))).toBe(published);
      expect(canonical(input)).toBe(vector(`jcs/output/${name}.json`).toString());
    });
  }

  it('canonical() writes 110,000 doubles as ECMAScript does', () => {
    const lines = [
      ...vector('jcs/es6numbers/es6testfile10k.txt').toString().trim().split('\n'),
      ...gunzipSync(vector('jcs/es6numbers/es6testfile100k.txt.gz')).toString().trim().split('\n'),
    ];
    const bits = Buffer.alloc(8);
    const wrong = lines.filter((line) => {
      const [pattern = '', text] = line.split(',');
      bits.writeBigUInt64BE(BigInt(`0x${pattern}`));
      return canonical(bits.readDoubleBE()) !== text;
    });
    expect(lines.length).toBe(110_000);
    expect(wrong).toEqual([]);
  });
});

describe('jcs()', () => {
  it('jcs() keeps the value', () => {
    fc.assert(
      fc.property(json, (value) => {
        // -0 is written as 0 (RFC 8785 3.2.2.3), and so reads back as another number to Object.is.
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('jcs() is a fixed point: canonical text reads and writes as itself', () => {
    fc.assert(
      fc.property(json, (value) => {
        const once = canonical(value);
        expect(canonical(JSON.parse(once) as Json)).toBe(once);
      }),
    );
  });

  it('jcs() does not depend on the order of members', () => {
    const members = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), json), {
      selector: ([name]) => name,
      maxLength: 8,
    });
    fc.assert(
      fc.property(members, (entries) => {
        const there = Object.fromEntries(entries);
        const back = Object.fromEntries(entries.toReversed());
        expect(canonical(there)).toBe(canonical(back));
      }),
    );
  });

  it('jcs() sorts by UTF-16 code units and not by code points', () => {
    expect(canonical({ '\uFB33': 1, '\u{1F600}': 2 })).toBe('{"\u{1F600}":2,"\uFB33":1}');
  });

  it('jcs() keeps a member that is named __proto__', () => {
    const value = JSON.parse('{"b":1,"__proto__":2}') as Json;
    expect(canonical(value)).toBe('{"__proto__":2,"b":1}');
  });

  it('jcs() leaves out members that are undefined', () => {
    expect(canonical({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  it('jcs() refuses what JSON cannot carry', () => {
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '\uD800',
      { '\uDC00': 1 },
      [-1 / 0],
    ]) {
      expect(() => jcs(value)).toThrow(TypeError);
    }
  });
});
