// What the vectors make, read again: each message opens and decodes to the content that it was made of,
// and what was read is written again as the same bytes.
import { expect, test } from 'vitest';
import { hex } from './bytes.ts';
import { publicHalf } from './keys.ts';
import { sealedOf } from './frames.ts';
import { recompute } from './recompute.ts';
import { algorithmOf } from './chains.ts';
import { Given, readVectors, vectorFiles, type JsonObject, type Vector } from './vectors.ts';

/** A vector that was made, as its inputs and its outputs. */
interface Made {
  readonly given: Given;
  readonly made: Given;
}

/** How what a row makes is read: by which row, of what, and what must come of it. */
type Back = (vector: Made) => readonly [compute: string, given: JsonObject, expect: JsonObject];

const framesGiven = (given: Given): readonly JsonObject[] =>
  given.objects('frames').map((frame) => ({ type: frame.json('type'), data: frame.json('data') }));

const BACK: Readonly<Record<string, Back>> = {
  address: ({ given, made }) => ['readAddress', made.values, given.values],
  openBlock: ({ given, made }) => ['readOpenBlock', made.values, given.values],
  keyUpdate: ({ given, made }) => ['readKeyUpdate', made.values, given.values],
  opening: ({ given, made }) => [
    'readOpening',
    { ...given.values, opening: made.text('opening') },
    { block: given.json('block') },
  ],
  reply: ({ given, made }) => [
    'readReply',
    { ...given.values, reply: made.text('reply') },
    {
      code: given.number('code'),
      accepts: given.number('code') === 0,
      ...(given.has('confirmed') && { confirmed: given.json('confirmed') }),
    },
  ],
  frameDigests: ({ given }) => [
    'readFrames',
    { ...given.values, bytes: sealedOf(given).map(hex).join('') },
    { frames: framesGiven(given) },
  ],
  frames: ({ given, made }) => [
    'readFrames',
    { ...given.values, bytes: made.texts('frames').join('') },
    { frames: framesGiven(given) },
  ],
  document: ({ given, made }) => [
    'readDocument',
    {
      ...given.values,
      document: made.json('document'),
      signer: {
        ed25519: hex(publicHalf('ed25519', given.bytes('ed25519Seed'))),
        mldsa65: hex(publicHalf('ml-dsa-65', given.bytes('mldsa65Seed'))),
      },
    },
    { payload: given.json('payload') },
  ],
};

const vectors = vectorFiles.flatMap(readVectors);
const accepted = (compute: string): readonly Vector[] =>
  vectors.filter((vector) => vector.compute === compute && vector.refused === undefined);
const madeOf = ({ given, expect: made }: Vector): Made => ({
  given: new Given(given),
  made: new Given(made ?? {}),
});

test.each(Object.entries(BACK))(
  'PROTOCOL: what %s makes is read as what it was made of',
  (name, back) => {
    expect(accepted(name).length).toBeGreaterThan(0);
    for (const vector of accepted(name)) {
      const [compute, given, content] = back(madeOf(vector));
      const read = recompute({ name: vector.name, compute, given });
      expect(read, vector.name).toMatchObject({ refused: undefined, expect: content });
    }
  },
);

test('PROTOCOL 6.1: the frames behind an opening are read under its early secret, from counter 1', () => {
  for (const vector of accepted('opening')) {
    const { given, made } = madeOf(vector);
    const read = recompute({
      name: vector.name,
      compute: 'readFrames',
      given: {
        suite: algorithmOf(given.number('algorithm')).suite,
        secret: made.text('early'),
        first: 1,
        bytes: made.texts('frames').join(''),
      },
    });
    expect(read.expect, vector.name).toEqual({ frames: framesGiven(given) });
  }
});

test('PROTOCOL 6.1: what was read of an opening is written as the same opening', () => {
  expect(accepted('readOpening').length).toBeGreaterThan(0);
  for (const vector of accepted('readOpening')) {
    const { given, made } = madeOf(vector);
    const salt = hex(given.bytes('opening').slice(8, 24));
    const content = { ...given.values, mode: 1, salt, block: made.json('block'), frames: [] };
    const written = recompute({ name: vector.name, compute: 'opening', given: content });
    expect(written.expect).toHaveProperty('opening', given.text('opening'));
  }
});
