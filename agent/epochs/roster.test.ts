import { describe, expect, test } from 'vitest';
import type { Sid } from '#agent/base/brands.ts';
import { entryHash, readEntry, type RosterEntry } from './roster.ts';

const sid = (digit: string): Sid => digit.repeat(32) as Sid;
const entry: RosterEntry = {
  v: 1,
  statement: 'AAAA',
  evidenceDigest: '0'.repeat(64),
  verdict: 'affirming',
  level: 'tpm',
  receipt: { conductor: sid('1'), at: 5 },
  expiresAt: 10,
};
describe('readEntry()', () => {
  test('takes only what hashes to its name', () => {
    expect(readEntry(entry, entryHash(entry))).toEqual(entry);
    expect(readEntry({ ...entry, expiresAt: 11 }, entryHash(entry))).toBeUndefined();
    expect(readEntry(undefined, entryHash(entry))).toBeUndefined();
  });
});
