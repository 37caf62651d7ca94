import { expect, it } from 'vitest';
import { fuzzTarget } from './run.ts';

const fuzzPlanted = (target: string, inputs = 2000, hangMs = 200) =>
  fuzzTarget({
    module: new URL('./planted.ts', import.meta.url).href,
    target,
    inputs,
    seed: 1,
    hangMs,
    heapMib: 96,
  });

it('fuzzTarget() finds nothing in a sound parser, and counts what it did', async () => {
  const { tally, findings } = await fuzzPlanted('sound');
  expect(findings).toEqual([]);
  expect(tally?.inputs).toBe(2000);
  expect((tally?.parsed ?? 0) + (tally?.refused ?? 0)).toBe(2000);
  expect(tally?.refused).toBeGreaterThan(0);
});

it('fuzzTarget() finds an error that is no refusal, and the smallest input for it', async () => {
  const { findings } = await fuzzPlanted('throws');
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({ failure: 'throws', target: 'throws' });
  expect(findings[0]?.text).toMatch(/RangeError: a planted fault \(hwtest\/fuzz\/planted\.ts:\d+/);
  expect([...(findings[0]?.input ?? [])]).toEqual([0xff]);
});

it('fuzzTarget() gets by coverage to where chance does not lead', async () => {
  const { findings, tally } = await fuzzPlanted('throws deep inside', 40_000);
  expect(tally?.kept).toBeGreaterThan(2); // the sample, and one more for each condition but the last
  expect(findings).toMatchObject([{ failure: 'throws' }]);
});

it('fuzzTarget() ends a thread that hangs, and keeps the input that still does', async () => {
  const { tally, findings } = await fuzzPlanted('hangs');
  expect(tally).toBeUndefined();
  expect(findings).toMatchObject([{ failure: 'hangs' }]);
  expect(findings[0]?.input).toContain(0xff);
});

it('fuzzTarget() ends a thread that takes too much memory, and keeps the input', async () => {
  const { findings } = await fuzzPlanted('exhausts memory', 2000, 5000);
  expect(findings).toMatchObject([{ failure: 'exhausts memory' }]);
  expect(findings[0]?.input).toContain(0xff);
});

it('fuzzTarget() finds a judge that believes what no sample says', async () => {
  const { findings } = await fuzzPlanted('believes');
  expect(findings).toMatchObject([{ failure: 'believes' }]);
});

it('fuzzTarget() gives the same figures for the same seed', async () => {
  const [one, other] = [await fuzzPlanted('sound', 500), await fuzzPlanted('sound', 500)];
  expect(one.tally?.parsed).toBe(other.tally?.parsed);
});
