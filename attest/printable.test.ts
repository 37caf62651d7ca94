import { expect, it } from 'vitest';
import { printable } from './printable.ts';

it('printable() keeps words and drops what steers a terminal', () => {
  expect(printable('café "x"')).toBe('café "x"');
  expect(printable('a\u001b[31m\u009b1m\r\n\u2028b')).toBe('a?[31m?1m???b');
  expect(printable('abc', 2)).toBe('ab');
});
