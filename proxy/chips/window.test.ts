import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Slot } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { LABEL, tick } from './chain.ts';
import { expand } from './hkdf.ts';
import { ChainWindow } from './window.ts';

const root = Buffer.alloc(32, 9);
const at = (n: number): Slot => n as Slot;

/** `chain(c, slot)` computed the long way from the root at slot 100. */
function chainAt(slot: number): string {
  let value: Buffer = Buffer.from(root);
  for (let s = 100; s < slot; s += 1) value = tick(value, at(s));
  return hex(value);
}
const open = (now: number, retainSlots = 0): ChainWindow =>
  new ChainWindow({ slot: at(100), key: root, now: at(now), retainSlots });
const keyHex = (window: ChainWindow, slot: number): string | undefined => {
  const key = window.keyAt(at(slot));
  return key && hex(key);
};

describe('ChainWindow', () => {
  it('keyAt() answers for t-1, t and t+1 and for no other slot', () => {
    const window = open(105);
    expect([103, 104, 105, 106, 107].map((slot) => keyHex(window, slot))).toEqual([
      undefined,
      chainAt(104),
      chainAt(105),
      chainAt(106),
      undefined,
    ]);
  });

  it('keyAt() is independent of the way time took', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 95, max: 160 }), { maxLength: 20 }), (times) => {
        const window = open(100);
        for (const now of times) {
          window.advance(at(now));
          window.keyAt(at(now + 1));
        }
        const now = Math.max(100, ...times);
        expect(window.now).toBe(now);
        for (const slot of [now - 2, now - 1, now, now + 1, now + 2]) {
          const held = slot >= 100 && Math.abs(slot - now) <= 1;
          expect(keyHex(window, slot)).toBe(held ? chainAt(slot) : undefined);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('advance() overwrites the bytes of what has passed', () => {
    const window = open(100);
    const old = window.keyAt(at(100));
    window.advance(at(101));
    expect(old && hex(old)).toBe(chainAt(100));
    window.advance(at(102));
    expect(old?.every((byte) => byte === 0)).toBe(true);
  });

  it('oldest() of a window reproduces the same window', () => {
    const oldest = open(120).oldest();
    if (oldest === undefined) throw new Error('window is empty');
    expect(oldest.slot).toBe(119);
    const copy = new ChainWindow({ ...oldest, now: at(121) });
    expect(keyHex(copy, 122)).toBe(chainAt(122));
  });

  it('a chain that starts in the future answers from the slot before its start', () => {
    const window = open(97);
    expect(keyHex(window, 98)).toBeUndefined();
    expect(keyHex(window, 100)).toBeUndefined();
    window.advance(at(99));
    expect(keyHex(window, 99)).toBeUndefined();
    expect(keyHex(window, 100)).toBe(chainAt(100));
  });

  it('updateKey() outlives its slot by what is retained, then is overwritten', () => {
    const window = open(105, 3);
    const expected = hex(expand(Buffer.from(chainAt(104), 'hex'), LABEL.update));
    for (const now of [105, 106, 107, 108]) {
      window.advance(at(now));
      const key = window.updateKey(at(104));
      expect(key && hex(key)).toBe(expected);
    }
    const retained = window.updateKey(at(104));
    window.advance(at(109));
    expect(window.updateKey(at(104))).toBeUndefined();
    expect(retained?.every((byte) => byte === 0)).toBe(true);
  });

  it('updateKey() is kept for slots that one advance passed over', () => {
    const window = open(100, 10);
    window.advance(at(108));
    for (let slot = 100; slot <= 109; slot += 1) {
      const key = window.updateKey(at(slot));
      expect(key && hex(key)).toBe(hex(expand(Buffer.from(chainAt(slot), 'hex'), LABEL.update)));
    }
  });

  it('retain() with fewer slots forgets at once', () => {
    const window = open(100, 10);
    window.advance(at(108));
    window.retain(0);
    expect(window.updateKey(at(106))).toBeUndefined();
    expect(window.updateKey(at(107))).toBeDefined();
  });

  it('advance() by an absurd distance gives the chain up instead of ticking for minutes', () => {
    const window = open(100);
    window.advance(at(2 ** 40));
    expect(window.keyAt(at(2 ** 40))).toBeUndefined();
    expect(window.oldest()).toBeUndefined();
  });

  it('close() leaves nothing', () => {
    const window = open(100, 4);
    const key = window.keyAt(at(101));
    window.close();
    window.advance(at(101));
    expect(key?.every((byte) => byte === 0)).toBe(true);
    expect(window.keyAt(at(101))).toBeUndefined();
    expect(window.updateKey(at(100))).toBeUndefined();
  });
});
