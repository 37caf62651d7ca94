import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';
import { agreementOf, agreementText, unknownTo } from './agreement.ts';
import { differences, members } from './differences.ts';
import { negativeDifferences } from './negatives.ts';
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

  it('negativeDifferences() names a change that still verifies, and one that it cannot make', async () => {
    const unrelated = ['eventlog', vectorDirectory('eventlog/gotpm/rhel8-uefi.bin')];
    const stated = ['report[42]+=1 -> sig fail', 'moon[1] -> fail'];
    expect(await negativeDifferences(stated, unrelated)).toEqual([
      'it still verifies: report[42]+=1 -> sig fail',
      'nobody knows how to alter it: moon[1] -> fail',
    ]);
  });

  it('docs/evidence.md has the figures of every folder', async () => {
    const page = readFileSync('docs/evidence.md', 'utf8');
    for (const { folder, files, agree, disagreements } of await agreementOf(readTruths())) {
      const row = `| \`${folder}\` | ${files} | ${agree} | ${disagreements.length} |`;
      expect(page, folder).toContain(row);
    }
  });

  it('agreementOf() agrees on logs where tpm2_eventlog 5.4 errs or crashes (trap 3)', async () => {
    const wrong = readTruths().filter(({ computed }) => {
      const { rc = 0, pcr_agreement: banks = {} } = members(computed['tpm2_eventlog_5.4']);
      return (
        rc !== 0 || Object.values(members(banks)).some((said) => String(said).startsWith('differ'))
      );
    });
    expect(wrong.length).toBeGreaterThan(2); // else none of them is known any more
    const rows = await agreementOf(wrong);
    expect(rows.flatMap((row) => row.disagreements)).toEqual([]);
  });
});
