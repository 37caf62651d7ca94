import { expect, it } from 'vitest';
import { Recent } from './recent.ts';

it('Recent forgets the one that was asked for longest ago', () => {
  const recent = new Recent<number>(3);
  for (const [at, key] of ['a', 'b', 'c'].entries()) recent.set(key, at);
  expect(recent.get('a')).toBe(0);
  recent.set('d', 3);
  expect(['a', 'b', 'c', 'd'].map((key) => recent.get(key))).toEqual([0, undefined, 2, 3]);
});
