import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { hmac } from './hkdf.ts';

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

it('hmac() of keys and messages of any length, one after the other, agrees with node:crypto', () => {
  fc.assert(
    fc.property(bytes(140), bytes(80), bytes(700), (key, head, tail) => {
      const expected = createHmac('sha256', key).update(head).update(tail).digest();
      expect(hmac(key, head, tail)).toEqual(expected);
      // What a call before has left behind would show in a shorter key and message.
      const empty = createHmac('sha256', '').digest();
      expect(hmac(Buffer.alloc(0))).toEqual(empty);
    }),
  );
});

it('hmac() reads parts before it writes, so that one of its own results may be one', () => {
  const first = hmac(Buffer.from('key'), Buffer.from('one'));
  expect(hmac(first, first)).toEqual(createHmac('sha256', first).update(first).digest());
});
