import { describe, expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import {
  entryHash,
  readEntry,
  readIndex,
  rosterDigest,
  type RosterEntry,
  type RosterIndex,
} from './roster.ts';

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
const index: RosterIndex = [
  { node: 'b' as NodeName, sid: sid('2'), entry: entryHash(entry) },
  { node: 'a' as NodeName, sid: sid('3'), entry: '4'.repeat(64) },
];

describe('rosterDigest()', () => {
  test('does not depend on the order of rows', () => {
    expect(rosterDigest(index.toReversed())).toBe(rosterDigest(index));
  });

  test('commits to node, statement and entry of every row', () => {
    const changes = [{ node: 'c' as NodeName }, { sid: sid('5') }, { entry: '6'.repeat(64) }];
    for (const change of changes) {
      expect(rosterDigest([{ ...index[0]!, ...change }, index[1]!])).not.toBe(rosterDigest(index));
    }
    expect(rosterDigest(index.slice(1))).not.toBe(rosterDigest(index));
  });
});

describe('readIndex()', () => {
  test('takes only what hashes to the digest of the record', () => {
    expect(readIndex(index, rosterDigest(index))).toEqual(index);
    expect(readIndex(index.slice(1), rosterDigest(index))).toBeUndefined();
    for (const junk of [null, 'x', {}, [{}], [{ node: 'a' }]]) {
      expect(readIndex(junk, rosterDigest(index))).toBeUndefined();
    }
  });

  test('refuses a node named twice', () => {
    const twice = [index[0]!, { ...index[1]!, node: index[0]!.node }];
    expect(readIndex(twice, rosterDigest(twice))).toBeUndefined();
  });
});

describe('readEntry()', () => {
  test('takes only what hashes to its name', () => {
    expect(readEntry(entry, entryHash(entry))).toEqual(entry);
    expect(readEntry({ ...entry, expiresAt: 11 }, entryHash(entry))).toBeUndefined();
    expect(readEntry(undefined, entryHash(entry))).toBeUndefined();
  });
});
