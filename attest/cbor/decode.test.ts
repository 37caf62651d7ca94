// Known answers of RFC 8949 appendix A, what is not well-formed (appendix F), and hostile bytes.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '#agent/base/bytes.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { writeCbor, type Writable } from '#attest/testdata/cborWrite.ts';
import { CborFloat, CborTag, decodeCbor, type CborValue } from './decode.ts';

const decode = (hexText: string): CborValue => decodeCbor(fromHex(hexText), 'test item');
const bytes = (text: string): Buffer => fromHex(text);

const KNOWN: readonly (readonly [encoded: string, value: CborValue])[] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
  ['c249010000000000000000', new CborTag(2, bytes('010000000000000000'))],
  ['3bffffffffffffffff', -18_446_744_073_709_551_616n],
  ['20', -1],
  ['3863', -100],
  ['3903e7', -1000],
  ['f93c00', new CborFloat(1)],
  ['f97bff', new CborFloat(65_504)],
  ['f90001', new CborFloat(5.960464477539063e-8)],
  ['f9c400', new CborFloat(-4)],
  ['f97c00', new CborFloat(Infinity)],
  ['f97e00', new CborFloat(Number.NaN)],
  ['f9fc00', new CborFloat(-Infinity)],
  ['fa47c35000', new CborFloat(100_000)],
  ['fb3ff199999999999a', new CborFloat(1.1)],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['f7', undefined],
  ['c11a514b67b0', new CborTag(1, 1_363_896_240)],
  ['d818456449455446', new CborTag(24, bytes('6449455446'))],
  ['40', bytes('')],
  ['4401020304', bytes('01020304')],
  ['60', ''],
  ['62c3bc', 'ü'],
  ['64f0908591', '\u{10151}'],
  ['80', []],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  ['826161a161626163', ['a', new Map([['b', 'c']])]],
  ['5f42010243030405ff', bytes('0102030405')],
  ['7f657374726561646d696e67ff', 'streaming'],
  ['9fff', []],
  ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
  [
    'bf6346756ef563416d7421ff',
    new Map<string, CborValue>([
      ['Fun', true],
      ['Amt', -2],
    ]),
  ],
];

describe('decodeCbor()', () => {
  it.each(KNOWN)('reads %s as RFC 8949 appendix A says', (encoded, value) => {
    expect(decode(encoded)).toEqual(value);
  });

  it.each([
    ['an empty input', ''],
    ['a head cut short', '19'],
    ['a string longer than the input', '5affffffff00'],
    ['an array of more items than bytes', '9b7fffffffffffffff00'],
    ['a map with a key and no value', 'a101'],
    ['reserved additional information', '1c'],
    ['an integer of indefinite length', '1f'],
    ['a tag of indefinite length', 'df00'],
    ['a break without anything to end', 'ff'],
    ['a break in the place of a value', 'bf01ff'],
    ['an indefinite array without a break', '9f01'],
    ['a chunk of another type', '5f6161ff'],
    ['a chunk of indefinite length', '5f5f4101ffff'],
    ['a character split over two chunks', '7f61c361bcff'],
    ['text that is not UTF-8', '61ff'],
    ['a surrogate as text', '63eda080'],
    ['an unassigned simple value', 'e0'],
    ['a simple value of two bytes', 'f8ff'],
    ['a key that stands twice', 'a201000100'],
    ['a key that stands twice, spelt otherwise', 'a20100180100'],
    ['a key that is bytes', 'a1410100'],
    ['bytes after the item', '0000'],
  ])('refuses %s', (_what, encoded) => {
    expect(outcome((input) => decodeCbor(input, 'test item'), bytes(encoded))).toBe('malformed');
  });

  it('stops at a depth that nothing good has, and not at one that something has', () => {
    const nested = (depth: number): Buffer => bytes(`${'81'.repeat(depth)}00`);
    expect(outcome((input) => decodeCbor(input, 'x'), nested(24))).not.toBe('malformed');
    expect(outcome((input) => decodeCbor(input, 'x'), nested(25))).toBe('malformed');
    expect(outcome((input) => decodeCbor(input, 'x'), nested(1_000_000))).toBe('malformed');
    expect(outcome((input) => decodeCbor(input, 'x'), bytes('c1'.repeat(1000)))).toBe('malformed');
  });

  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
    fc.constantFrom(null, true, false),
  );
  const { tree } = fc.letrec<{ tree: Writable }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree'), { maxLength: 5 }),
      fc
        .dictionary(fc.string({ maxLength: 8 }), tie('tree'), { maxKeys: 5, noNullPrototype: true })
        .map((record) => new Map(Object.entries(record))),
    ),
  }));

  it('reads back whatever was written', () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(decodeCbor(writeCbor(value), 'tree')).toEqual(value);
      }),
    );
  });

  const sample = writeCbor([new Map<string, Writable>([['a', [1, -5, 'text']]]), Buffer.alloc(30)]);
  it('reads hostile bytes or refuses them, and does nothing else', () => {
    fc.assert(
      fc.property(hostile(sample), (input) => {
        outcome((given) => decodeCbor(given, 'sample'), input);
      }),
      { numRuns: 1000 },
    );
  });
});
