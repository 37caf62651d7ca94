import { describe, expect, it } from 'vitest';
import { noVectors } from '#attest/testdata/vectors.ts';
import { agreementOf, agreementText, unknownTo } from './agreement.ts';
import { differences } from './differences.ts';
import { readTruths } from './truth.ts';

describe('differences()', () => {
  it('names each member that is missing or another, and no other', () => {
    expect(differences({ a: 1, b: [2], c: 3 }, { a: 1, b: [2] })).toEqual([]);
    expect(differences({ a: 1 }, { a: 2, b: null })).toEqual([
      'a is 1, should be 2',
      'b is absent, should be null',
    ]);
  });
});

describe('agreementText()', () => {
  it('shows a disagreement with its reason', () => {
    const disagreements = [{ path: 'x/y', differences: ['a is 1, should be 2'], fault: undefined }];
    const text = agreementText([{ folder: 'x', files: 2, agree: 1, disagreements }]);
    expect(text).toContain('x/y: not explained\n  a is 1, should be 2');
  });
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it('agreementOf() has every folder, and no disagreement but by a fault in the data', async () => {
    const truths = readTruths();
    expect(truths.length).toBeGreaterThan(70);
    expect(unknownTo(truths)).toEqual([]);
    const rows = await agreementOf(truths);
    expect(rows.every(({ files }) => files > 0)).toBe(true);
    const disagreements = rows.flatMap((row) => row.disagreements);
    expect(disagreements.filter(({ fault }) => fault === undefined)).toEqual([]);
  });
});
