import { describe, expect, it } from 'vitest';
import { fromHex, hex } from '#agent/base/bytes.ts';
import {
  NO_FIELD,
  asciiList,
  digestField,
  fileEntry,
  hashedData,
  hexField,
  textField,
  type EntryToWrite,
} from '#attest/testdata/imaEntries.ts';
import { ALL_TEMPLATES } from '#attest/testdata/imaTemplates.ts';
import { asciiEntry } from './ascii.ts';
import { entryFields, eventName, isViolation, templateHash } from './entry.ts';

const lineOf = (entry: EntryToWrite): string => asciiList([entry]).toString('latin1').slice(0, -1);
const read = (entry: EntryToWrite) => asciiEntry(lineOf(entry), 0, 0);

it.each(ALL_TEMPLATES)('asciiEntry() restores what the kernel hashed: %s', (_, entry) => {
  const found = read(entry);
  expect(hex(found.data)).toBe(hex(hashedData(entry)));
  expect(templateHash(found, 'sha1')).toBe(found.listed);
});

it('asciiEntry() takes lists whose column is of another bank', () => {
  for (const [by, digits] of [
    ['sha256', 64],
    ['sha384', 96],
    ['sha512', 128],
  ] as const) {
    const line = asciiList([fileEntry('/init')], by)
      .toString()
      .slice(0, -1);
    const found = asciiEntry(line, 0, 0);
    expect(found).toMatchObject({ listedBy: by, listed: expect.stringMatching(`^.{${digits}}$`) });
    expect(templateHash(found, by)).toBe(found.listed);
  }
});

it('asciiEntry() takes an entry whose empty fields lost their spaces', () => {
  const entry = { ...fileEntry('/init'), template: 'ima-sig' };
  const full = { ...entry, fields: [...entry.fields, NO_FIELD] };
  expect(lineOf(full).endsWith('/init ')).toBe(true);
  expect(asciiEntry(lineOf(full).trimEnd(), 0, 0).data).toEqual(hashedData(full));
});

it('asciiEntry() leaves spaces in the name, where old kernels wrote them', () => {
  const spaced = fileEntry('/opt/My Program  v2/run');
  expect(read(spaced).data).toEqual(hashedData(spaced));
  const signed = {
    template: 'ima-sig',
    fields: [...spaced.fields, hexField(fromHex('030204'))],
  };
  expect(read(signed).data).toEqual(hashedData(signed));
});

it('asciiEntry() keeps names that are not UTF-8 as they are', () => {
  const name = Buffer.from([0x2f, 0xff, 0xc3, 0x28, 0]);
  const field = { kept: name, shown: '' };
  const line = lineOf({
    template: 'ima-ng',
    fields: [digestField('sha1', Buffer.alloc(20)), field],
  });
  const found = asciiEntry(line + name.toString('latin1', 0, 4), 0, 0);
  expect(entryFields(found).get('n-ng')).toEqual(name);
});

it('asciiEntry() reads PCR below 10, right-aligned as the kernel writes it', () => {
  const line = lineOf({ ...fileEntry('/init'), pcr: 9 });
  expect(line.startsWith(' 9 ')).toBe(true);
  expect(asciiEntry(line, 0, 0).pcr).toBe(9);
});

it('isViolation() is about the template hash alone', () => {
  expect(isViolation(read({ ...fileEntry('/init'), violation: true }))).toBe(true);
  expect(isViolation(read(fileEntry('boot_aggregate', Buffer.alloc(32))))).toBe(false);
});

it('eventName() is the name without its final zero', () => {
  expect(eventName(read(fileEntry('/usr/bin/é')))).toBe('/usr/bin/é');
  const fixed = { template: 'ima', fields: [hexField(Buffer.alloc(20, 1)), textField('/init')] };
  expect(eventName(read(fixed))).toBe('/init');
});

describe('asciiEntry() refuses', () => {
  const digest = '11'.repeat(20);
  const good = `10 ${digest} ima-ng sha1:${digest} /init`;

  it('nothing of the line that the others are made of', () => {
    expect(asciiEntry(good, 0, 0).template).toBe('ima-ng');
  });

  it.each([
    ['text', 'this is text, not an IMA entry', 'not "PCR hash template fields"'],
    ['the rest of a name with a line break', '/and more', 'line break'],
    ['a PCR that no TPM has', `24 ${digest} ima-ng sha1:${digest} /init`, 'not "PCR'],
    ['a hash of no known length', `10 ${digest}11 ima-ng sha1:${digest} /init`, 'not "PCR'],
    ['a hash that is not hex', `10 ${'1g'.repeat(20)} ima-ng sha1:${digest} /init`, 'not "PCR'],
    ['a template that nobody knows', `10 ${digest} not-ima sha1:${digest} /init`, 'is unknown'],
    ['a format with an unknown field', `10 ${digest} d-ng|x sha1:${digest} /init`, 'is unknown'],
    ['a digest that is not hex', `10 ${digest} ima-ng sha1:1g${digest} /init`, 'a field is not'],
    ['a digest of half a byte', `10 ${digest} ima-ng sha1:${digest}1 /init`, 'a field is not'],
    ['a signature that is not hex', `10 ${digest} ima-sig sha1:${digest} /init xyz0`, 'a field'],
    ['a fixed digest too short', `10 ${digest} ima ${digest.slice(2)} /init`, 'a field is not'],
    ['a fixed name too long', `10 ${digest} ima ${digest} /${'x'.repeat(255)}`, 'a field is not'],
    ['a number out of range', `10 ${digest} d-ng|n-ng|imode sha1:${digest} /a 65536`, 'a field'],
    ['a number that is none', `10 ${digest} d-ng|n-ng|iuid sha1:${digest} /a -1`, 'a field is not'],
  ])('%s', (_, line, state) => {
    expect(() => asciiEntry(line, 3, 0)).toThrow(state);
    expect(() => asciiEntry(line, 3, 0)).toThrow('Cannot read IMA list: entry 3: ');
  });
});

it('asciiEntry() shows nothing of a hostile list as it is', () => {
  const line = `10 ${'11'.repeat(20)} \u001b[2Jima sha1:00 /init`;
  expect(() => asciiEntry(line, 0, 0)).toThrow('template "\\u001b[2Jima" is unknown');
});
