import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { HeldBytes } from './heldBytes.ts';
import { Waiting } from './waiting.ts';

const JOIN_BYTES = 32 << 10;

/** Everything that waits, and in how many pieces it comes. */
function all(waiting: Waiting): { readonly bytes: Buffer; readonly pieces: number } {
  const pieces: Buffer[] = [];
  waiting.drain((piece) => pieces.push(Buffer.from(piece)));
  return { bytes: Buffer.concat(pieces), pieces: pieces.length };
}

it('Waiting joins small pieces: neither their number nor what they take depends on who writes', () => {
  const held = new HeldBytes();
  for (const isLasting of [false, true]) {
    const waiting = new Waiting(held);
    waiting.push(Buffer.from('-'));
    if (isLasting) waiting.outlast();
    const one = Buffer.from('x');
    for (let n = 1; n < 400_000; n += 1) waiting.push(one);
    expect(waiting.bytes).toBe(400_000);
    expect(held.own).toBeLessThan(400_000 + JOIN_BYTES);
    const { bytes, pieces } = all(waiting);
    expect(bytes.toString()).toBe(`-${'x'.repeat(399_999)}`);
    expect(pieces).toBe(Math.ceil(400_000 / JOIN_BYTES));
    expect(held.own).toBe(0);
  }
});

it('Waiting keeps what is pushed in order, whatever comes and goes between', () => {
  const sizes = fc.oneof(fc.nat(40), fc.nat(5000), fc.nat(3 * JOIN_BYTES));
  const step = fc.oneof(
    fc.record({ push: sizes }),
    fc.record({ drop: fc.nat(100) }),
    fc.constant('outlast' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const held = new HeldBytes();
      const waiting = new Waiting(held);
      let expected = Buffer.alloc(0);
      for (const each of steps) {
        if (each === 'outlast') waiting.outlast();
        else if ('push' in each) {
          const bytes = randomBytes(each.push);
          expected = Buffer.concat([expected, bytes]);
          waiting.push(bytes);
          bytes.fill(0);
        } else if (waiting.bytes > 0) {
          const { first } = waiting;
          const length = Math.ceil((first.length * each.drop) / 100);
          expect(first.subarray(0, length).equals(expected.subarray(0, length))).toBe(true);
          expected = expected.subarray(length);
          waiting.drop(length);
        }
        expect(waiting.bytes).toBe(expected.length);
        expect(held.own).toBeGreaterThanOrEqual(waiting.bytes);
      }
      expect(all(waiting).bytes.equals(expected)).toBe(true);
      expect(held.own).toBe(0);
    }),
    { numRuns: 300 },
  );
});

it('Waiting that outlasts a turn keeps none of the pools alive that it was copied into', () => {
  const waiting = new Waiting(new HeldBytes());
  waiting.push(Buffer.alloc(20_000));
  waiting.push(Buffer.alloc(20_000));
  waiting.push(Buffer.alloc(1));
  waiting.outlast();
  waiting.push(Buffer.alloc(20_000));
  waiting.drain((piece) => expect(piece.buffer.byteLength).toBeLessThanOrEqual(JOIN_BYTES));
});
