// Shared schema pieces: what they accept, and that a failed parse names every problem.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { b64url, fromB64url } from './bytes.ts';
import { TidelockError } from './errors.ts';
import { b64Text, b64TextMax, nodeName, parseAs, slot } from './schema.ts';

const failure = { code: 'CONFIG_INVALID', op: 'test.parse', what: 'sample', hint: 'h' } as const;

describe('b64Text()', () => {
  it('b64Text() takes the text of exactly so many bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(40), (bytes, length) => {
        const taken = b64Text(length).safeParse(b64url(bytes)).success;
        expect(taken).toBe(bytes.length === length);
      }),
    );
  });

  it('b64Text() takes no padding, no other alphabet, no white space', () => {
    for (const text of ['AA==', 'A+_-', 'A/_-', 'AA A', 'AAA\n']) {
      expect(b64Text(3).safeParse(text).success, text).toBe(false);
    }
  });

  it('b64Text() takes one text for each byte string', () => {
    // 'AA' and 'AB' decode to the same byte; only the first is what encoding it gives.
    expect(fromB64url('AB')).toEqual(fromB64url('AA'));
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{2,7}$/), (text) => {
        const canonical = b64url(fromB64url(text)) === text;
        expect(b64TextMax(6).safeParse(text).success).toBe(canonical);
      }),
    );
  });

  it('b64TextMax() takes at most so many bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(b64TextMax(20).safeParse(b64url(bytes)).success).toBe(bytes.length <= 20);
      }),
    );
  });
});

describe('parseAs()', () => {
  const schema = z.object({ node: nodeName, at: z.object({ slot }) });

  it('parseAs() returns the value where it fits', () => {
    const value = { node: 'a', at: { slot: 3 } };
    expect(parseAs(schema, value, failure)).toEqual(value);
  });

  it('parseAs() names every problem at once, each with its path', () => {
    const bad = { node: 'A', at: { slot: -1 } };
    const error = (() => {
      try {
        return parseAs(schema, bad, failure);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(TidelockError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', op: 'test.parse', hint: 'h' });
    expect(String(error)).toMatch(/node: .*; at\.slot: /);
  });

  it('slot takes non-negative safe integers alone', () => {
    const values = [0, 1, 2 ** 53 - 1, 2 ** 53, -1, 1.5, Number.NaN, '1', null];
    expect(values.filter((value) => slot.safeParse(value).success)).toEqual([0, 1, 2 ** 53 - 1]);
  });
});
