import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChainId } from '#agent/base/brands.ts';
import {
  dataMessage,
  LANES_PER_PAGE,
  roleKey,
  type LanePage,
  type DataMessage,
} from './control.ts';

const GOOD: readonly DataMessage[] = [
  { type: 'hello', version: 1, workers: 2 },
  { type: 'ack', version: 7 },
  { type: 'poolLow', worker: 0, podUid: 'a-b', family: 4, want: 64 },
  {
    type: 'event',
    dropped: 3,
    event: {
      at: 1_700_000_000_000,
      kind: 'refused',
      direction: 'in',
      peer: 'node-b',
      from: 'spiffe://example.org/c/ns/sa',
      reason: 'policy',
      detail: 'default',
    },
  },
  {
    type: 'event',
    dropped: 0,
    event: {
      at: 1_700_000_000_000,
      kind: 'closed',
      id: '3.41',
      direction: 'out',
      rule: 'shop/web',
      reason: 'peer-reset',
      detail: 'application',
      bytesOut: 12,
      bytesIn: 2 ** 40,
      keyUpdates: 0,
      durationMs: 17,
    },
  },
  { type: 'canary', id: 3, tookMs: 12 },
  { type: 'asymmetric', total: 4, tokens: 4 },
];

const LANES: LanePage = {
  type: 'lanes',
  id: 3,
  live: 4,
  next: 41,
  lanes: [
    {
      id: '3.41',
      direction: 'in',
      rule: 'default',
      bytesOut: 0,
      bytesIn: 0,
      keyUpdates: 2,
      openedAt: 1_700_000_000_000,
      chain: '00112233445566778899aabbccddeeff' as ChainId,
      aead: 'AES-256-GCM',
    },
  ],
};

describe('dataMessage', () => {
  test.each(GOOD)('dataMessage accepts $type', (message) => {
    expect(dataMessage.parse(message)).toEqual(message);
  });

  test('dataMessage refuses each message with a field changed, added or left out', () => {
    const wrong = fc.constantFrom<unknown>(-1, 1.5, 'x'.repeat(300), null, {}, [], 2 ** 60);
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), wrong, fc.nat(), (message, value, pick) => {
        const names = Object.keys(message);
        const name = names[pick % names.length] ?? 'type';
        expect(dataMessage.safeParse({ ...message, [name]: value }).success).toBe(false);
        expect(dataMessage.safeParse({ ...message, extra: value }).success).toBe(false);
        const less = Object.fromEntries(Object.entries(message).filter(([key]) => key !== name));
        expect(dataMessage.safeParse(less).success).toBe(false);
      }),
    );
  });

  test('dataMessage accepts a page of lanes, and refuses one too long or with a field changed', () => {
    expect(dataMessage.parse(LANES)).toEqual(LANES);
    const [lane] = LANES.lanes;
    const page = (lanes: readonly unknown[]): boolean =>
      dataMessage.safeParse({ ...LANES, lanes }).success;
    expect(page(Array.from({ length: LANES_PER_PAGE }, () => lane))).toBe(true);
    expect(page(Array.from({ length: LANES_PER_PAGE + 1 }, () => lane))).toBe(false);
    for (const change of [
      { id: '1' },
      { direction: 'up' },
      { bytesIn: -1 },
      { rule: 'x'.repeat(201) },
      { chain: 'x' },
      { aead: 'none' },
      { peer: 'UPPER' },
      { from: 'https://example.org' },
      { more: 1 },
    ]) {
      expect(page([{ ...lane, ...change }]), JSON.stringify(change)).toBe(false);
    }
  });

  test('dataMessage refuses what would make the control plane do too much', () => {
    for (const change of [
      { want: 254 },
      { want: 0 },
      { worker: 256 },
      { family: 5 },
      { podUid: '' },
    ]) {
      const message = { type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 1, ...change };
      expect(dataMessage.safeParse(message).success).toBe(false);
    }
  });
});

describe('roleKey()', () => {
  test('roleKey() tells every role apart', () => {
    const keys = [
      roleKey({ kind: 'lane' }),
      roleKey({ kind: 'pod', podUid: 'a', family: 4 }),
      roleKey({ kind: 'pod', podUid: 'a', family: 6 }),
      roleKey({ kind: 'pod', podUid: 'b', family: 4 }),
    ];
    expect(new Set(keys).size).toBe(4);
  });
});
