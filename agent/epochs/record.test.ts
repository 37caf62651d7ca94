import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey, type SigningKey } from '#agent/base/asymmetric.ts';
import type { ChainId, NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import {
  judgeRecord,
  newestFirst,
  openLinkedRecord,
  openRecord,
  signRecord,
  type RecordBody,
} from './record.ts';

const A = 'node-a' as NodeName;
const body: RecordBody = {
  v: 1,
  domain: 'example.org',
  cluster: 'c',
  term: 3,
  generation: 2,
  kind: 'epoch',
  epoch: 9,
  parent: 'ab'.repeat(16) as ChainId,
  atSlot: 103 as Slot,
  periodMs: 5000,
  beacon: b64url(Buffer.alloc(32, 7)),
  algorithm: 1,
  rosterDigest: '0'.repeat(64),
  prev: '1'.repeat(64),
  conductor: { node: A, sid: 'cd'.repeat(16) as Sid },
};
const limits = {
  domain: 'example.org',
  cluster: 'c',
  periodMs: { min: 5000, max: 30_000 },
  algorithms: [1, 2],
};
const newest = { generation: 2, term: 3, epoch: 8, hash: 'f'.repeat(64), conductor: A };
const NOW = 100 as Slot;

let key: SigningKey;
beforeAll(() => {
  key = generateSigningKey();
});

describe('openRecord()', () => {
  test('returns what was signed, with its hash and chain', () => {
    const document = signRecord(body, key);
    const record = openRecord(document, key.public);
    expect(record).toMatchObject(body);
    expect(record.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(openLinkedRecord(document, record.hash)?.chainId).toBe(record.chainId);
    expect(openLinkedRecord(document, '0'.repeat(64))).toBeUndefined();
  });

  test('refuses a change of any field', () => {
    const document = signRecord(body, key);
    const changes: Partial<Record<keyof RecordBody, unknown>> = {
      domain: 'example.com',
      cluster: 'd',
      term: 4,
      generation: 3,
      kind: 'heal',
      epoch: 10,
      parent: 'ac'.repeat(16),
      atSlot: 104,
      periodMs: 6000,
      beacon: b64url(Buffer.alloc(32, 8)),
      algorithm: 2,
      rootCommit: '2'.repeat(64),
      rosterDigest: '3'.repeat(64),
      prev: null,
      conductor: { node: 'node-b', sid: 'cd'.repeat(16) },
    };
    for (const [field, value] of Object.entries(changes)) {
      const forged = { ...document, payload: { ...body, [field]: value } };
      expect(() => openRecord(forged, key.public), field).toThrow(/not signed by/);
    }
  });

  test('needs both signatures', () => {
    const document = signRecord(body, key);
    for (const kept of document.signatures) {
      expect(() => openRecord({ ...document, signatures: [kept] }, key.public)).toThrow(
        /not signed by/,
      );
    }
  });
});

describe('openLinkedRecord()', () => {
  test('reads nothing out of what is no record', () => {
    for (const junk of [
      null,
      1,
      'x',
      [],
      {},
      { payload: {} },
      { v: 1, kind: 'epoch-record', payload: { ...body, term: 0 }, signatures: [] },
      { v: 1, kind: 'epoch-record', payload: { ...body, more: 1 }, signatures: [] },
    ]) {
      expect(openLinkedRecord(junk)).toBeUndefined();
    }
  });
});

describe('judgeRecord()', () => {
  const judge = (over: Partial<RecordBody>): string | undefined =>
    judgeRecord({ ...body, ...over }, newest, limits, NOW);

  test('accepts the next epoch and the next generation', () => {
    expect(judge({})).toBeUndefined();
    expect(
      judge({ kind: 'heal', generation: 3, parent: null, rootCommit: '0'.repeat(64) }),
    ).toBeUndefined();
    expect(
      judge({ term: 4, conductor: { node: 'node-b' as NodeName, sid: body.conductor.sid } }),
    ).toBeUndefined();
  });

  test.each([
    ['other-cluster', { cluster: 'd' }],
    ['other-cluster', { domain: 'example.com' }],
    ['period', { periodMs: 4000 }],
    ['period', { periodMs: 31_000 }],
    ['algorithm', { algorithm: 3 }],
    ['count', { epoch: 2 ** 40 }],
    ['count', { generation: 2 ** 40 }],
    ['count', { term: 2 ** 40 }],
    ['commitment', { kind: 'heal' as const, generation: 3 }],
    ['commitment', { rootCommit: '0'.repeat(64) }],
    ['at-slot', { atSlot: 109 as Slot }],
    ['lower-term', { term: 2 }],
    [
      'other-conductor-of-term',
      { conductor: { node: 'node-b' as NodeName, sid: body.conductor.sid } },
    ],
    ['generation-jump', { generation: 3 }],
    ['generation-jump', { generation: 1 }],
    [
      'generation-jump',
      { kind: 'revoke' as const, generation: 4, parent: null, rootCommit: '0'.repeat(64) },
    ],
  ])('refuses %s: %o', (refusal, over) => {
    expect(judge(over)).toBe(refusal);
  });
});

describe('newestFirst()', () => {
  test('orders by generation, term, epoch, then the lowest hash', () => {
    const order = (generation: number, term: number, epoch: number, hash: string) => ({
      generation,
      term,
      epoch,
      hash,
    });
    const expected = [
      order(2, 1, 1, 'b'),
      order(1, 2, 1, 'b'),
      order(1, 1, 2, 'b'),
      order(1, 1, 1, 'a'),
      order(1, 1, 1, 'b'),
    ];
    expect(expected.toReversed().sort(newestFirst)).toEqual(expected);
  });
});
