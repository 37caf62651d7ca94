// Every vector of PROTOCOL 13, recomputed; and that the reader would notice a vector that is wrong.
import { describe, expect, test } from 'vitest';
import { protocolTable } from './protocol.ts';
import { agrees, recompute } from './recompute.ts';
import {
  isObject,
  readVectors,
  vectorFiles,
  vectorText,
  type Json,
  type JsonObject,
  type Vector,
} from './vectors.ts';

const titleOf = ({ compute, name }: Vector): string =>
  `PROTOCOL ${protocolTable.get(compute)?.join(', ')}: ${compute}: ${name}`;

/** Each value that differs from the given one at one place. */
function changed(value: Json): readonly Json[] {
  if (typeof value === 'string')
    return [value.endsWith('0') ? `${value}1` : `${value.slice(0, -1)}0`];
  if (typeof value === 'number') return [value + 1];
  if (Array.isArray(value)) {
    const items = value.flatMap((item, at) => changed(item).map((other) => value.with(at, other)));
    return [...items, [...value, value[0] ?? 0]];
  }
  if (!isObject(value)) return [value === true ? false : 1];
  return changedMembers(value);
}

const changedMembers = (value: JsonObject): readonly JsonObject[] =>
  Object.entries(value).flatMap(([name, item]) =>
    changed(item).map((other) => ({ ...value, [name]: other })),
  );

describe.each(vectorFiles)('%s', (file) => {
  const vectors = readVectors(file);
  let visited = 0;

  for (const vector of vectors) {
    test(titleOf(vector), () => {
      const { expect: made, refused } = recompute(vector);
      expect({ made, refused }).toStrictEqual({ made: vector.expect, refused: vector.refused });
      visited += 1;
    });
  }

  test('every vector is visited', () => {
    const written = vectorText(file).match(/"compute":/g)?.length;
    expect(written).toBeGreaterThan(0);
    expect(visited).toBe(written);
  });

  test('agrees() is false when any output of a vector is changed', () => {
    const missed = vectors.filter((vector) =>
      changedMembers(vector.expect ?? {}).some((other) => agrees({ ...vector, expect: other })),
    );
    expect(missed.map(titleOf)).toEqual([]);
  });

  test('agrees() is false when a refusal is denied, moved or made up', () => {
    const missed = vectors.filter(({ refused, ...vector }) => {
      const otherwise = refused === undefined ? { ...vector, refused: '6.1' } : vector;
      return agrees(otherwise) || agrees({ ...vector, refused: `${refused}.1` });
    });
    expect(missed.map(titleOf)).toEqual([]);
  });
});
