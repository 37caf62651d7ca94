// That the JSON in the vectors has the members that PROTOCOL names, all of them and no others.
import { expect, test } from 'vitest';
import { unhex } from './bytes.ts';
import { protocolText } from './protocol.ts';
import {
  differences,
  ENTRY,
  INDEX_ROW,
  PAYLOADS,
  SEALED_CHAIN,
  SEALED_PLAIN,
  SHAPES,
  STATEMENT,
  UNSIGNED,
  type Shape,
} from './shapes.ts';
import { Given, readVectors, vectorFiles, type Json } from './vectors.ts';

const accepted = vectorFiles
  .flatMap(readVectors)
  .filter(({ refused }) => refused === undefined)
  .map(({ compute, given, expect: made }) => ({
    compute,
    given: new Given(given),
    made: new Given(made ?? {}),
  }));

const vectorsOf = (compute: string): typeof accepted =>
  accepted.filter((vector) => vector.compute === compute);
const jsonIn = (bytes: Uint8Array): Json => JSON.parse(new TextDecoder().decode(bytes));

const shaped: readonly (readonly [name: string, shape: Shape, found: readonly Json[]])[] = [
  ...Object.entries(PAYLOADS).map(
    ([kind, shape]) =>
      [
        kind,
        shape,
        vectorsOf('document')
          .filter(({ given }) => given.text('kind') === kind)
          .map(({ given }) => given.json('payload')),
      ] as const,
  ),
  ...Object.entries(UNSIGNED).map(
    ([message, shape]) =>
      [
        message,
        shape,
        vectorsOf('readMessage')
          .filter(({ given }) => given.text('message') === message)
          .slice(0, 1)
          .map(({ given }) => given.json('value')),
      ] as const,
  ),
  [
    'statement',
    STATEMENT,
    vectorsOf('statement').map(({ made }) => jsonIn(made.bytes('statement'))),
  ],
  ['index row', INDEX_ROW, vectorsOf('rosterDigest').flatMap(({ given }) => given.list('rows'))],
  ['entry', ENTRY, vectorsOf('entry').map(({ given }) => given.json('entry'))],
  ['sealed plaintext', SEALED_PLAIN, vectorsOf('sealed').map(({ made }) => plainOf(made))],
  ['sealed chain', SEALED_CHAIN, vectorsOf('sealed').flatMap(({ made }) => chainsOf(made))],
];

function plainOf(made: Given): Json {
  return jsonIn(unhex(made.text('plain')));
}

function chainsOf(made: Given): readonly Json[] {
  const plain = plainOf(made);
  return new Given({ plain }).object('plain').list('chains');
}

test.each(shaped)('PROTOCOL: %s has the members that the text names', (_, shape, found) => {
  expect(found.length).toBeGreaterThan(0);
  expect(found.flatMap((value) => differences(value, shape))).toEqual([]);
});

test('SHAPES stand in the text, each in its section', () => {
  const missing = SHAPES.filter(
    ({ section, written }) => !protocolText(section).replaceAll(/\s+/g, ' ').includes(written),
  );
  expect(missing).toEqual([]);
});

test('differences() names what is missing and what is too much', () => {
  const shape = { section: '', written: '{a, b: one, c?, d: {e}, f: [{g}], h}' };
  expect(differences({ a: 1, b: 'one', d: { e: 1 }, f: [{ g: 1 }], h: { any: 1 } }, shape)).toEqual(
    [],
  );
  expect(differences({ a: 1, b: 'one', c: 1, d: {}, f: [{ g: 1, x: 1 }], y: 1 }, shape)).toEqual([
    '.d.e',
    '.h',
    '.f.x',
    '.y',
  ]);
});
