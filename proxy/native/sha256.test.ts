import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { digestInto, pad, paddedBytes, sha256Of } from './sha256.ts';

it('pad() and digestInto() agree with node:crypto for every length about a block, one after the other', () => {
  for (const length of [...Array(200).keys(), 4095, 4096, 1 << 17]) {
    const message = randomBytes(length);
    const padded = paddedBytes(length);
    const blocks = Buffer.alloc(padded + 3, 0xee);
    message.copy(blocks);
    pad(blocks, length);
    const out = Buffer.alloc(40, 0xee);
    digestInto(out, 5, blocks, padded);
    const expected = createHash('sha256').update(message).digest();
    expect(out.subarray(5, 37).equals(expected), `${length} bytes`).toBe(true);
    const half = length >> 1;
    expect(sha256Of(message.subarray(0, half), message.subarray(half))).toEqual(expected);
    const untouched = [...out.subarray(0, 5), ...out.subarray(37), ...blocks.subarray(padded)];
    expect(untouched.every((byte) => byte === 0xee)).toBe(true);
  }
});

it('digestInto() refuses what is not whole blocks, and too little room', () => {
  const blocks = Buffer.alloc(128);
  expect(() => digestInto(Buffer.alloc(32), 0, blocks, 63)).toThrow(RangeError);
  expect(() => digestInto(Buffer.alloc(32), 0, blocks, 192)).toThrow(RangeError);
  expect(() => digestInto(Buffer.alloc(32), 1, blocks, 64)).toThrow(RangeError);
});
