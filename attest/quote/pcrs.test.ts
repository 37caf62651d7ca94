import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, hex, utf8 } from '#agent/base/bytes.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, vector, vectorText } from '#attest/testdata/vectors.ts';
import { readPcrBanks, type PcrBanks } from './pcrs.ts';

const told = (banks: PcrBanks) =>
  Object.fromEntries(
    Array.from(banks, ([bank, values]) => [
      bank,
      Object.fromEntries(Array.from(values, ([pcr, value]) => [pcr, hex(value)])),
    ]),
  );
const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));

const sha1 = (byte: string): string => byte.repeat(20);
const sha256 = (byte: string): string => byte.repeat(32);

it('readPcrBanks() reads JSON by bank and register', () => {
  const banks = { sha1: { '0': sha1('0a') }, sha256: { '0': sha256('0b'), '23': sha256('ff') } };
  expect(told(readPcrBanks(json(banks)))).toEqual(banks);
});

it('readPcrBanks() takes digits as tpm2_pcrread prints them', () => {
  const read = readPcrBanks(utf8(` {"sha1":{"7":"0x${sha1('AB')}"}}`));
  expect(told(read)).toEqual({ sha1: { '7': sha1('ab') } });
});

it.each([
  ['a list', []],
  ['a bank that Tidelock does not know', { sm3_256: {} }],
  ['a register that no TPM has', { sha1: { '24': sha1('00') } }],
  ['a value that is no hex', { sha1: { '0': `${sha1('00').slice(2)}zz` } }],
  ['a value of another bank', { sha256: { '0': sha1('00') } }],
])('readPcrBanks() refuses %s', (_, value) => {
  expect(outcome(readPcrBanks, json(value))).toBe('malformed');
});

it('readPcrBanks() refuses JSON that breaks off', () => {
  expect(outcome(readPcrBanks, utf8('{"sha1":'))).toBe('malformed');
});

/** What tpm2-tools write: C structures, little endian. */
function serialized(
  selections: readonly (readonly [alg: number, bits: readonly number[]])[],
  digests: readonly (readonly Buffer[])[],
): Buffer {
  const u16le = (n: number): Buffer => Buffer.from([n & 0xff, n >>> 8]);
  const u32le = (n: number): Buffer => concat(u16le(n & 0xffff), u16le(n >>> 16));
  const selection = ([alg, bits]: readonly [number, readonly number[]]): Buffer =>
    concat(u16le(alg), Buffer.from([3, ...bits, 0, 0]));
  const unused = Array.from({ length: 16 - selections.length }, () => Buffer.alloc(8));
  const list = (of: readonly Buffer[]): Buffer =>
    concat(
      u32le(of.length),
      ...of.flatMap((digest) => [u16le(digest.length), digest, Buffer.alloc(64 - digest.length)]),
      Buffer.alloc((8 - of.length) * 66),
    );
  return concat(
    u32le(selections.length),
    ...selections.map(selection),
    ...unused,
    u32le(digests.length),
    ...digests.map(list),
  );
}

const value = (i: number): Buffer => Buffer.alloc(32, i);

describe('readPcrBanks() of what tpm2_quote -o writes', () => {
  const ten = Array.from({ length: 10 }, (_, i) => value(i));

  it('takes values in the order of the registers, over several lists', () => {
    const bytes = serialized([[0x000b, [0xff, 0x40, 0x80]]], [ten.slice(0, 8), ten.slice(8)]);
    const read = readPcrBanks(bytes).get('sha256');
    expect([...(read?.keys() ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 14, 23]);
    expect([...(read?.values() ?? [])]).toEqual(ten);
  });

  it('takes several banks', () => {
    const bytes = serialized(
      [
        [0x0004, [1, 0, 0]],
        [0x000b, [2, 0, 0]],
      ],
      [[Buffer.alloc(20, 9), value(1)]],
    );
    expect(told(readPcrBanks(bytes))).toEqual({
      sha1: { '0': sha1('09') },
      sha256: { '1': sha256('01') },
    });
  });

  it.each([
    ['too few values', serialized([[0x000b, [3, 0, 0]]], [[value(1)]])],
    ['too many values', serialized([[0x000b, [1, 0, 0]]], [[value(1), value(2)]])],
    ['a value of another size', serialized([[0x0004, [1, 0, 0]]], [[value(1)]])],
    ['an unknown bank', serialized([[0x0012, [1, 0, 0]]], [[value(1)]])],
    ['bytes at the end', concat(serialized([[0x000b, [1, 0, 0]]], [[value(1)]]), value(0))],
  ])('refuses %s', (_, bytes) => {
    expect(outcome(readPcrBanks, bytes)).toBe('malformed');
  });

  it('ends in one error on any bytes', () => {
    const bytes = serialized([[0x000b, [1, 0, 0]]], [[value(1)]]);
    fc.assert(fc.property(hostile(bytes), (altered) => void outcome(readPcrBanks, altered)));
    const text = json({ sha256: { '0': sha256('0b') } });
    fc.assert(fc.property(hostile(text), (altered) => void outcome(readPcrBanks, altered)));
  });
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it('readPcrBanks() reads both forms beside real quotes', () => {
    const serializedFile = readPcrBanks(vector('tpm-quote/keylime-files/quotepcr.out'));
    expect([...(serializedFile.get('sha256')?.keys() ?? [])]).toEqual([15, 16, 22]);
    const path = 'tpm-quote/swtpm-q1_good_sha256/pcrs.json';
    expect(told(readPcrBanks(vector(path)))).toEqual(JSON.parse(vectorText(path)));
  });
});
