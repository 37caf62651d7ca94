import { describe, expect, it } from 'vitest';
import { concat, hex, utf8 } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import {
  binaryList,
  fileEntries,
  fileEntry,
  hashedData,
  u32le,
} from '#attest/testdata/imaEntries.ts';
import { ALL_TEMPLATES } from '#attest/testdata/imaTemplates.ts';
import { HASH_NAMES, hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { binaryEntry, listedByOf } from './binary.ts';
import { eventName, templateHash } from './entry.ts';
import { imaEntries } from './list.ts';

const read = (bytes: Buffer, by: HashName = 'sha1') =>
  binaryEntry(new Cursor(bytes, 'IMA list'), 0, hashByName(by));

it.each(ALL_TEMPLATES)(
  'binaryEntry() takes the bytes as the kernel hashed them: %s',
  (_, entry) => {
    const bytes = binaryList([entry]);
    const found = read(bytes);
    expect(hex(found.data)).toBe(hex(hashedData(entry)));
    expect(templateHash(found, 'sha1')).toBe(found.listed);
    expect(found.endOffset).toBe(bytes.length);
  },
);

it.each(HASH_NAMES)('listedByOf() finds template hashes by %s', (by) => {
  const bytes = binaryList(fileEntries(1), by);
  expect(listedByOf(bytes).name).toBe(by);
  const found = read(bytes, by);
  expect(found.listedBy).toBe(by);
  expect(templateHash(found, by)).toBe(found.listed);
});

it('listedByOf() is not misled by a violation, whose hash is all zero', () => {
  const violation = { ...fileEntry('/init'), violation: true };
  expect(listedByOf(binaryList([violation], 'sha512')).name).toBe('sha512');
});

it('binaryEntry() hashes a template that nobody knows', () => {
  const entry = { ...fileEntry('/init'), template: 'ima-cgpath' };
  const found = read(binaryList([entry]));
  expect(templateHash(found, 'sha1')).toBe(found.listed);
  expect(eventName(found)).toBe('');
});

it('binaryEntry() reads a name with a line break', () => {
  expect(eventName(read(binaryList([fileEntry('/tmp/two\nlines')])))).toBe('/tmp/two\nlines');
});

it('imaEntries() refuses a binary list cut anywhere but between entries', () => {
  const whole = binaryList(fileEntries(1));
  const first = binaryList(fileEntries(0)).length;
  for (let end = 0; end < whole.length; end += 1) {
    if (end === first) continue;
    expect(() => [...imaEntries(whole.subarray(0, end))]).toThrow('Cannot read IMA list');
  }
  expect([...imaEntries(whole.subarray(0, first))]).toHaveLength(1);
});

describe('binaryEntry() refuses', () => {
  const entry = (parts: { pcr?: number; name?: string; data?: Buffer; lenBytes?: number }) => {
    const { pcr = 10, name = 'ima-ng', data = hashedData(fileEntry('/init')) } = parts;
    const size = u32le(parts.lenBytes ?? data.length);
    return concat(u32le(pcr), Buffer.alloc(20, 1), u32le(name.length), utf8(name), size, data);
  };

  it('nothing of the entry that the others are made of', () => {
    expect(eventName(read(entry({})))).toBe('/init');
  });

  it.each([
    ['a PCR that no TPM has', { pcr: 24 }, 'PCR 24'],
    ['the byte order of another kernel', { pcr: 0x0a00_0000 }, 'PCR 167772160'],
    ['a template name too long', { name: 'x'.repeat(256) }, 'template name of 256 bytes'],
    ['a template name of other bytes', { name: 'ima\u0007ng' }, 'other than ASCII'],
    ['an absurd size', { lenBytes: 0xffff_ffff }, 'template data of 4294967295 bytes'],
    ['data that is not there', { lenBytes: 4096 }, '4096 bytes wanted'],
    ['a field beyond the data', { data: concat(u32le(9), utf8('sha1:')) }, '9 bytes wanted'],
    ['a field too few', { data: concat(u32le(5), utf8('sha1:')) }, '4 bytes wanted'],
    [
      'bytes after the last field',
      { data: concat(u32le(0), u32le(0), utf8('x')) },
      '1 bytes follow',
    ],
  ])('%s', (_, parts, state) => {
    expect(() => read(entry(parts))).toThrow(state);
  });

  it('a name of the fixed template longer than 255 bytes', () => {
    const fixed = concat(
      u32le(3),
      utf8('ima'),
      Buffer.alloc(20),
      u32le(256),
      Buffer.alloc(256, 0x61),
    );
    expect(() => read(concat(u32le(10), Buffer.alloc(20, 1), fixed))).toThrow('name of 256 bytes');
  });
});
