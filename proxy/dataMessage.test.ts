import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChainId, NodeName } from '#agent/base/brands.ts';
import { LANES_PER_PAGE, MAX_PEERS_USED, type DataMessage, type LanePage } from './control.ts';
import { readDataMessage } from './dataMessage.ts';

const GOOD: readonly DataMessage[] = [
  { type: 'hello', version: 1, workers: 2, spares: 1 },
  { type: 'workerLost', worker: 1, why: 'RangeError', working: 1, spares: 0 },
  { type: 'ack', version: 7 },
  { type: 'poolLow', worker: 0, podUid: 'a-b', family: 4, want: 64 },
  { type: 'whereIs', id: 2 ** 48, worker: 3, address: '10.0.0.1' },
  { type: 'whereIs', id: 1, worker: 0, address: '2001:db8::1' },
  { type: 'using', peers: ['node-b', 'node-c.example'] as NodeName[] },
  {
    type: 'event',
    dropped: 3,
    event: {
      at: 1_700_000_000_000,
      kind: 'refused',
      direction: 'in',
      peer: 'node-b',
      from: 'spiffe://example.org/c/ns/sa',
      client: '198.19.2.10:40312',
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

const isRefused = (message: unknown): boolean => {
  try {
    readDataMessage(message);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONTROL_MALFORMED' });
    return true;
  }
};

describe('readDataMessage()', () => {
  test.each(GOOD)('readDataMessage() accepts $type', (message) => {
    expect(readDataMessage(message)).toEqual(message);
  });

  test('readDataMessage() refuses each message with a field changed or left out', () => {
    const wrong = fc.constantFrom<unknown>(-1, 1.5, 'x'.repeat(300), null, {}, [], 2 ** 60);
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), wrong, fc.nat(), (message, value, pick) => {
        const names = Object.keys(message);
        const name = names[pick % names.length] ?? 'type';
        fc.pre(!(name === 'type' && typeof value === 'string')); // another type: of another version
        expect(isRefused({ ...message, [name]: value })).toBe(true);
        const less = Object.fromEntries(Object.entries(message).filter(([key]) => key !== name));
        expect(isRefused(less)).toBe(name !== 'spares' || message.type !== 'hello');
      }),
    );
  });

  test('readDataMessage() accepts a page of lanes, and refuses one too long or with a field changed', () => {
    expect(readDataMessage(LANES)).toEqual(LANES);
    const [lane] = LANES.lanes;
    const page = (lanes: readonly unknown[]): boolean => !isRefused({ ...LANES, lanes });
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
    ]) {
      expect(page([{ ...lane, ...change }]), JSON.stringify(change)).toBe(false);
    }
  });

  test.each(['constructor', '__proto__', 'hasOwnProperty'])(
    'readDataMessage() leaves aside an event of kind %s, like any that it does not know',
    (kind) => {
      const event = { kind, reason: 'policy', direction: 'in', at: 1 };
      expect(readDataMessage({ type: 'event', dropped: 0, event })).toBeUndefined();
    },
  );

  test('readDataMessage() takes an address in its one form only', () => {
    const asks = (address: unknown): boolean =>
      !isRefused({ type: 'whereIs', id: 1, worker: 0, address });
    const longest = `${'abcd:'.repeat(7)}abcd`;
    for (const good of ['0.0.0.0', '::', 'fd00::1', longest]) expect(asks(good), good).toBe(true);
    for (const bad of [
      '',
      '10.0.0.1 ',
      '10.0.0.01',
      '10.1',
      '2001:DB8::1',
      '2001:db8:0:0:0:0:0:1',
      '::ffff:10.0.0.1',
      'fe80::1%eth0',
      'example.org',
      '10.0.0.1:80',
      `${longest}:abcd`,
      '1'.repeat(1 << 20),
      ['10.0.0.1'],
      { toString: '10.0.0.1' },
    ]) {
      expect(asks(bad), JSON.stringify(bad).slice(0, 60)).toBe(false);
    }
  });

  test('readDataMessage() takes peers that have a name, and not more of them than may be said', () => {
    const using = (peers: unknown): boolean => !isRefused({ type: 'using', peers });
    const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `node-${i}`);
    expect(using(many(MAX_PEERS_USED))).toBe(true);
    expect(using(many(MAX_PEERS_USED + 1))).toBe(false);
    for (const bad of [[], ['UPPER'], [''], [7], ['a', null], 'node-b', { 0: 'node-b' }]) {
      expect(using(bad), JSON.stringify(bad)).toBe(false);
    }
  });

  test('readDataMessage() refuses what would make the control plane do too much', () => {
    for (const change of [
      { want: 254 },
      { want: 0 },
      { worker: 256 },
      { family: 5 },
      { podUid: '' },
    ]) {
      const message = { type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 1, ...change };
      expect(isRefused(message)).toBe(true);
    }
  });
});
