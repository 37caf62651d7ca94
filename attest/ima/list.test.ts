import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import { asciiList, binaryList, fileEntries } from '#attest/testdata/imaEntries.ts';
import { ALL_TEMPLATES } from '#attest/testdata/imaTemplates.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { MAX_IMA_LIST_BYTES, imaEntries, imaFormOf } from './list.ts';

const every = ALL_TEMPLATES.map(([, entry]) => entry);
const ascii = asciiList(every);
const binary = binaryList(every);
const readAll = (bytes: Uint8Array) => [...imaEntries(bytes)];

it('imaEntries() reads the same entries out of both forms', () => {
  expect([imaFormOf(ascii), imaFormOf(binary)]).toEqual(['ascii', 'binary']);
  const told = (bytes: Buffer) => readAll(bytes).map((entry) => ({ ...entry, endOffset: 0 }));
  expect(told(ascii)).toEqual(told(binary));
  expect(told(ascii).map(({ template }) => template)).toEqual(ALL_TEMPLATES.map(([name]) => name));
});

it('imaEntries() says where each entry ends, so that reading can go on there', () => {
  for (const bytes of [ascii, binary]) {
    const entries = readAll(bytes);
    expect(entries.at(-1)?.endOffset).toBe(bytes.length);
    const { endOffset = 0 } = entries[2] ?? {};
    const rest = [...imaEntries(bytes.subarray(endOffset), 3)];
    expect(rest.map(({ index, listed }) => [index, listed])).toEqual(
      entries.slice(3).map(({ index, listed }) => [index, listed]),
    );
  }
});

it('imaEntries() forgives a last line without its end, and empty lines after it', () => {
  expect(readAll(ascii.subarray(0, -1))).toHaveLength(every.length);
  expect(readAll(concat(ascii, Buffer.from('\n\n')))).toHaveLength(every.length);
});

it('imaEntries() reads on from the end of a list: nothing', () => {
  expect([...imaEntries(Buffer.alloc(0), 7)]).toEqual([]);
});

it('imaEntries() refuses an empty list, and one too long', () => {
  expect(() => readAll(Buffer.alloc(0))).toThrow('it is empty');
  expect(() => readAll(Buffer.alloc(MAX_IMA_LIST_BYTES + 1))).toThrow(`${MAX_IMA_LIST_BYTES + 1}`);
});

it('imaEntries() refuses a line that no entry is as long as', () => {
  const line = Buffer.alloc(3 << 20, 0x61);
  expect(() => readAll(concat(asciiList(fileEntries(0)), line))).toThrow('a line of 3145728 bytes');
});

it('imaEntries() refuses more entries than any node has', () => {
  expect(() => [...imaEntries(ascii, 999_999)]).toThrow('over 1000000 entries');
  expect(() => [...imaEntries(binary, 999_999)]).toThrow('over 1000000 entries');
});

it('imaEntries() ends in one error on any bytes', () => {
  for (const sample of [ascii, binary]) {
    fc.assert(fc.property(hostile(sample), (bytes) => void outcome(readAll, bytes)));
  }
});
