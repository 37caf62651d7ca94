// Tests of the spelling aid.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, didYouMean } from './suggest.ts';

describe('closest()', () => {
  const names = ['periodMs', 'maxStalenessSeconds', 'onStale'];

  it.each([
    ['periodsMs', 'periodMs'],
    ['preiodMs', 'periodMs'],
    ['PERIODMS', 'periodMs'],
    ['onstale', 'onStale'],
    ['maxStalenesSeconds', 'maxStalenessSeconds'],
  ])('closest(%s) finds %s', (slip, meant) => {
    expect(closest(slip, names)).toBe(meant);
  });

  it('closest() finds nothing for a word that is unlike all', () => {
    expect(closest('colour', names)).toBeUndefined();
    expect(didYouMean('colour', names)).toBe('');
  });

  it('closest() finds a word after any one edit', () => {
    const word = fc.string({
      minLength: 6,
      maxLength: 20,
      unit: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    });
    fc.assert(
      fc.property(word, fc.nat(), fc.constantFrom('drop', 'double', 'replace'), (name, n, edit) => {
        const i = n % name.length;
        const middle = { drop: '', double: name.charAt(i).repeat(2), replace: 'z' }[edit];
        expect(closest(name.slice(0, i) + middle + name.slice(i + 1), ['zzzzzzzz', name])).toBe(
          name,
        );
      }),
    );
  });
});
