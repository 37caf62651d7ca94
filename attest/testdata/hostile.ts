// Bytes that an attacker might send: property-test generators over a good sample.
import * as fc from 'fast-check';
import type { Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';

/** The sample truncated, extended, with bytes overwritten; or no resemblance at all. */
export function hostile(sample: Bytes): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(Math.max(0, sample.length - 1));
  const truncated = at.map((end) => sample.slice(0, end));
  const extended = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .map((more) => Uint8Array.from([...sample, ...more]));
  const overwritten = fc
    .array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((edits) => {
      const copy = Uint8Array.from(sample);
      for (const [index, byte] of edits) copy[index] = byte;
      return copy;
    });
  return fc.oneof(truncated, extended, overwritten, fc.uint8Array({ maxLength: 400 }));
}

/** What a parser does with `bytes`: its result, or the one error it may end in. */
export function outcome<T>(parse: (bytes: Uint8Array) => T, bytes: Uint8Array): T | 'malformed' {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof TidelockError && error.code === 'EVIDENCE_MALFORMED') return 'malformed';
    throw error;
  }
}

/** `sample` with bit `bit` of byte `index` flipped. */
export function flipped(sample: Bytes, index: number, bit = 0): Buffer {
  const copy = Buffer.from(sample);
  copy[index] = (copy[index] ?? 0) ^ (1 << bit);
  return copy;
}
