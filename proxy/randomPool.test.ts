import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { RandomPool } from './randomPool.ts';

/** Fills with 1, 2, 3 ... as 4-byte words, so that every word that is handed out is known. */
function counting() {
  let next = 0;
  let fills = 0;
  const fill = (bytes: Uint8Array) => {
    fills += 1;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < view.length; at += 4) view.writeUInt32BE((next += 1), at);
  };
  return { fill, fills: () => fills };
}

it('take() hands out no word twice, and none that was not drawn', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 100 }), (words) => {
      const pool = new RandomPool(counting().fill);
      const seen = new Set<number>();
      for (const count of words) {
        const bytes = pool.take(count * 4);
        for (let at = 0; at < bytes.length; at += 4) {
          const word = bytes.readUInt32BE(at);
          expect(word).toBeGreaterThan(0);
          expect(seen.has(word)).toBe(false);
          seen.add(word);
        }
      }
    }),
    { numRuns: 20 },
  );
});

it('take() draws many at a time', () => {
  const { fill, fills } = counting();
  const pool = new RandomPool(fill);
  for (let n = 0; n < 256; n += 1) pool.take(16);
  expect(fills()).toBe(1);
  pool.take(16);
  expect(fills()).toBe(2);
});

it('take() gives memory of its own: later draws do not change it', () => {
  const pool = new RandomPool(counting().fill);
  const first = pool.take(16);
  const copy = Buffer.from(first);
  for (let n = 0; n < 600; n += 1) pool.take(16);
  expect(first).toEqual(copy);
});

it('take() refuses more than a pool has', () => {
  expect(() => new RandomPool(counting().fill).take(4097)).toThrow(RangeError);
});
