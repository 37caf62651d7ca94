import { expect, it } from 'vitest';
import { MAX_FLOOD_BYTES, mutate } from './mutate.ts';
import { mutateJson } from './mutateJson.ts';
import { Random } from './random.ts';

const sample = Buffer.from(Array.from({ length: 100 }, (_, index) => index));

it('mutate() gives the same inputs for the same seed, others for another, and keeps the sample', () => {
  const made = (seed: number): string[] => {
    const random = new Random(seed);
    return Array.from({ length: 50 }, () => mutate(random, sample, [sample]).toString('hex'));
  };
  expect(made(1)).toEqual(made(1));
  expect(made(1)).not.toEqual(made(2));
  expect(new Set(made(1)).size).toBeGreaterThan(40);
  expect([...sample]).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

it('mutate() shortens, lengthens and floods, and stays below the bound', () => {
  const random = new Random(3);
  const sizes = Array.from({ length: 5000 }, () => mutate(random, sample, [sample]).length);
  expect(Math.min(...sizes)).toBe(0);
  expect(sizes.filter((size) => size > 16_000).length).toBeGreaterThan(0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_FLOOD_BYTES);
});

it('mutate() survives samples of no bytes', () => {
  const random = new Random(4);
  const empty = Buffer.alloc(0);
  for (let i = 0; i < 500; i += 1) mutate(random, empty, [empty]);
});

it('mutateJson() gives JSON that differs, and nothing for what is none', () => {
  const random = new Random(5);
  const document = { a: [1, 2, { b: 'text' }], c: null, d: {} };
  const bytes = Buffer.from(JSON.stringify(document));
  const made = Array.from({ length: 200 }, () => mutateJson(random, bytes)?.toString() ?? '');
  for (const text of made) expect(() => JSON.parse(text) as unknown).not.toThrow();
  expect(new Set(made).size).toBeGreaterThan(80);
  expect(mutateJson(random, sample)).toBeUndefined();
  expect(mutateJson(random, Buffer.from('{"a":'))).toBeUndefined();
});
