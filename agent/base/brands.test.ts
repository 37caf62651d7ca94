// What is accepted as a node name, a SPIFFE ID, a sid, and slots around their borders.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isChainId, isNodeName, isSid, isSpiffeId, slotAt, slotPlus } from './brands.ts';

describe('names', () => {
  it('isNodeName() takes DNS names in lower case, up to 253 characters', () => {
    const good = ['a', 'node-1', 'ip-10-0-0-1.eu-west.internal', 'a'.repeat(253)];
    const bad = ['', 'A', '-a', 'a-', '.a', 'a.', 'a_b', 'a b', 'a\n', 'a'.repeat(254)];
    expect(good.filter(isNodeName)).toEqual(good);
    expect(bad.filter(isNodeName)).toEqual([]);
  });

  it('isSpiffeId() wants a trust domain and a path without empty or relative segments', () => {
    const good = [
      'spiffe://example.org/c/ns/sa',
      'spiffe://d/ns/x/sa/y',
      'spiffe://d/a.b_c-D',
      'spiffe://d/...',
      'spiffe://d/.a/a./..a',
    ];
    const bad = [
      'spiffe://example.org',
      'spiffe://example.org/',
      'spiffe://example.org//a',
      'spiffe://example.org/a/',
      'spiffe://d/.',
      'spiffe://d/../a',
      'spiffe://d/a/..',
      'spiffe:///a',
      'spiffe://Example.org/a',
      'spiffe://d:80/a',
      'spiffe://d/a?b',
      'spiffe://d/a#b',
      'https://d/a',
      ' spiffe://d/a',
      `spiffe://d/${'a'.repeat(502)}`,
    ];
    expect(good.filter(isSpiffeId)).toEqual(good);
    expect(bad.filter(isSpiffeId)).toEqual([]);
  });

  it('isSid() and isChainId() take 32 hex digits in lower case', () => {
    const id = '0123456789abcdef'.repeat(2);
    for (const is of [isSid, isChainId]) {
      expect([id, id.toUpperCase(), `${id}0`, id.slice(1), `${id}\n`].filter(is)).toEqual([id]);
    }
  });
});

describe('slots', () => {
  it('slotAt() changes at each multiple of the period and nowhere else', () => {
    const period = fc.integer({ min: 1000, max: 30_000 });
    fc.assert(
      fc.property(fc.nat(2 ** 40), period, (unixMs, periodMs) => {
        const slot = slotAt(unixMs, periodMs);
        expect(slot * periodMs).toBeLessThanOrEqual(unixMs);
        expect(slotPlus(slot, 1) * periodMs).toBeGreaterThan(unixMs);
      }),
    );
  });
});
