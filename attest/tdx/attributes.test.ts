import { describe, expect, it } from 'vitest';
import { fromHex } from '#agent/base/bytes.ts';
import { masked, tdAttributes, xfamFeatures } from './attributes.ts';

describe('tdAttributes()', () => {
  it.each([
    ['0100000000000000', 'debug'],
    ['0000000800000000', 'lass'],
    ['0000001000000000', 'sept_ve_disable'],
    ['0000002000000000', 'migratable'],
    ['0000004000000000', 'pks'],
    ['0000008000000000', 'kl'],
    ['0000000000000080', 'perfmon'],
  ])('reads %s as %s alone', (text, name) => {
    const { flags, underDebug, unknownBits } = tdAttributes(fromHex(text));
    expect(Object.entries(flags).flatMap(([flag, set]) => (set ? [flag] : []))).toEqual([name]);
    expect(underDebug).toBe(name === 'debug');
    expect(unknownBits).toEqual([]);
  });

  it('takes any of the lowest eight bits for debug', () => {
    for (let bit = 0; bit < 8; bit += 1) {
      const attributes = tdAttributes(Buffer.of(1 << bit, 0, 0, 0, 0, 0, 0, 0));
      expect(attributes).toMatchObject({ underDebug: true, unknownBits: [] });
    }
  });

  it('names bits that have no meaning', () => {
    expect(tdAttributes(fromHex('0001000001000000')).unknownBits).toEqual([8, 32]);
  });
});

it('xfamFeatures() names what is set', () => {
  expect(xfamFeatures(fromHex('0306060000000000'))).toEqual([
    'x87',
    'sse',
    'pku',
    'pasid',
    'amx_tilecfg',
    'amx_tiledata',
  ]);
});

it('masked() keeps the bits of the mask', () => {
  expect(masked(fromHex('15ff'), fromHex('fb00'))).toBe('1100');
});
