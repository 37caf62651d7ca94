import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from './splitter.ts';

function split(chunks: readonly string[]): { readonly lines: string[]; readonly overlong: number } {
  const lines: string[] = [];
  let overlong = 0;
  const splitter = new LineSplitter(
    (line) => lines.push(line),
    () => {
      overlong += 1;
    },
  );
  for (const chunk of chunks) splitter.push(chunk);
  return { lines, overlong };
}

test('LineSplitter gives the same lines however they are cut into chunks', () => {
  const lines = fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }));
  fc.assert(
    fc.property(lines, fc.array(fc.integer({ min: 0, max: 30 })), (expected, cuts) => {
      let rest = expected.map((line) => `${line}\n`).join('');
      const chunks = cuts.map((cut) => {
        const chunk = rest.slice(0, cut);
        rest = rest.slice(cut);
        return chunk;
      });
      expect(split([...chunks, rest])).toEqual({ lines: expected, overlong: 0 });
    }),
  );
});

test('LineSplitter drops a line over 8192 characters once and goes on with the next', () => {
  const endless = Array.from({ length: 20 }, () => 'x'.repeat(1_000));
  expect(split(['a\n', ...endless, 'x\nb\n', 'c'])).toEqual({ lines: ['a', 'b'], overlong: 1 });
  expect(split([`${'y'.repeat(8_192)}\n`]).lines).toEqual(['y'.repeat(8_192)]);
  expect(split([`${'y'.repeat(8_193)}\nz\n`])).toEqual({ lines: ['z'], overlong: 1 });
});
