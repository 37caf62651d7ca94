import { describe, expect, it } from 'vitest';
import type { ChainId } from '#agent/base/brands.ts';
import { snapshot } from './plane.fixture.ts';
import { chainIdOf, toldSnapshot, wholeChains } from './snapshot.ts';

const made = snapshot(1, 0x11, 12);
const ids = made.chains.map(({ id }) => id);

describe('toldSnapshot()', () => {
  it('names older chains that are held, in their place, and tells all others whole', () => {
    const held = new Set<ChainId>(ids.filter((_id, age) => age !== 9));
    const told = toldSnapshot(made, held);
    expect(told.chains).toEqual([
      ...made.chains.slice(0, 8),
      ids[8],
      made.chains[9],
      ids[10],
      ids[11],
    ]);
    expect(told.chains.map(chainIdOf)).toEqual(ids);
    expect(wholeChains(told)).toEqual(made.chains.filter((_chain, age) => age < 8 || age === 9));
  });

  it('tells everything whole to who holds nothing', () => {
    expect(toldSnapshot(made, new Set())).toEqual(made);
  });
});
