// Copies of bytes with one of them changed, for vectors that are refused. Leaves the original alone.
import type { Bytes } from '#agent/base/bytes.ts';

/** A copy with `byte` at `at`; a negative `at` counts from the end. */
export function withByte(bytes: Bytes, at: number, byte: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] = byte;
  return copy;
}

/** A copy with the lowest bit at `at` flipped; a negative `at` counts from the end. */
export const flipped = (bytes: Bytes, at: number): Buffer =>
  withByte(bytes, at, (bytes.at(at) ?? 0) ^ 1);
