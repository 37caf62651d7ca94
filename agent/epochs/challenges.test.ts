import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { CHALLENGE_MS, Challenges, MAX_ANSWERED } from './challenges.ts';

const A = 'node-a' as NodeName;
const B = 'node-b' as NodeName;

function challenges() {
  const world = { nowMs: 12_345.6 };
  return { world, given: new Challenges({ monoMs: () => world.nowMs }, randomBytes) };
}

describe('Challenges', () => {
  test('answer() takes a challenge once, from the node that it was given to', () => {
    const { given } = challenges();
    const challenge = given.give(A);
    expect(fromB64url(challenge)).toHaveLength(32);
    expect(given.answer(challenge, B)).toBe(false);
    expect(given.answer(challenge, A)).toBe(true);
    expect(given.answer(challenge, A)).toBe(false);
  });

  test('answer() takes none after its minute, and none of another conductor', () => {
    const { given, world } = challenges();
    const [early, late] = [given.give(A), given.give(A)];
    world.nowMs += CHALLENGE_MS - 1;
    expect(given.answer(early, A)).toBe(true);
    world.nowMs += 2;
    expect(given.answer(late, A)).toBe(false);
    expect(given.answer(challenges().given.give(A), A)).toBe(false);
  });

  test('give() takes nothing from a node in whose name others ask for any number', () => {
    const { given } = challenges();
    const own = given.give(A);
    for (let n = 0; n <= MAX_ANSWERED; n += 1) given.give(A);
    expect(given.answer(own, A)).toBe(true);
  });

  test('answer() takes none that was not given, whatever is changed', () => {
    const { given } = challenges();
    const good = given.give(A);
    for (let bit = 0; bit < 256; bit += 1) {
      const bytes = fromB64url(good);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(given.answer(b64url(bytes), A)).toBe(false);
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String({ maxLength: 64 })), (text) => {
        expect(given.answer(text, A)).toBe(false);
      }),
    );
    expect(given.answer(`${good}=`, A)).toBe(false);
    expect(given.answer(good, A)).toBe(true);
  });
});
