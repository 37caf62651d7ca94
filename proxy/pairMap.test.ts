import { expect, test } from 'vitest';
import { PairMap } from './pairMap.ts';

test('PairMap keeps values by both keys, in their order', () => {
  const map = new PairMap<string, number>();
  map.set('a', 'b', 1);
  map.set('a', 'c', 2);
  map.set('b', 'a', 3);
  map.set('a', 'b', 4);
  expect([map.get('a', 'b'), map.get('a', 'c'), map.get('b', 'a')]).toEqual([4, 2, 3]);
  expect([map.get('b', 'c'), map.get('c', 'a')]).toEqual([undefined, undefined]);
});
