// Writes IMA entries of any template in both forms, from fields that a test gives as the kernel keeps
// them and as it shows them: none of the reader's code.
import { hash } from 'node:crypto';
import { concat, utf8 } from '#agent/base/bytes.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';

export interface FieldToWrite {
  readonly kept: Buffer;
  readonly shown: string;
}

export interface EntryToWrite {
  readonly template: string;
  readonly fields: readonly FieldToWrite[];
  readonly pcr?: number;
  /** Listed as zeros. */
  readonly violation?: boolean;
}

export const u32le = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};

/** `d-ng` and `d-ngv2`: `named` is `sha256` or `verity:sha256`. */
export const digestField = (named: string, digest: Buffer): FieldToWrite => ({
  kept: concat(utf8(`${named}:\0`), digest),
  shown: `${named}:${digest.toString('hex')}`,
});

export const textField = (text: string): FieldToWrite => ({
  kept: Buffer.from(utf8(`${text}\0`)),
  shown: text,
});

export const hexField = (bytes: Buffer): FieldToWrite => ({
  kept: bytes,
  shown: bytes.toString('hex'),
});

export const NO_FIELD: FieldToWrite = { kept: Buffer.alloc(0), shown: '' };

/** An entry of `ima-ng` for the file `name`. */
export const fileEntry = (
  name: string,
  digest: Buffer = hash('sha256', name, 'buffer'),
): EntryToWrite => ({
  template: 'ima-ng',
  fields: [digestField('sha256', digest), textField(name)],
});

/** `boot_aggregate` and `count` files. */
export const fileEntries = (count: number): EntryToWrite[] => [
  fileEntry('boot_aggregate', Buffer.alloc(32, 7)),
  ...Array.from({ length: count }, (_, i) => fileEntry(`/usr/bin/program-${i}`)),
];

/** What the template hash covers. */
export function hashedData({ template, fields }: EntryToWrite): Buffer {
  if (template !== 'ima') {
    return concat(...fields.flatMap(({ kept }) => [u32le(kept.length), kept]));
  }
  const [digest, name] = fields.map(({ kept }) => kept);
  if (digest === undefined || name === undefined) throw new Error('template ima has two fields');
  return concat(digest, name, Buffer.alloc(256 - name.length));
}

function listed(entry: EntryToWrite, by: HashName): Buffer {
  const digest = hash(by, hashedData(entry), 'buffer');
  return entry.violation ? Buffer.alloc(digest.length) : digest;
}

export const asciiList = (entries: readonly EntryToWrite[], by: HashName = 'sha1'): Buffer =>
  Buffer.from(
    entries
      .map((entry) => {
        const { pcr = 10, template, fields } = entry;
        const shown = fields.map((field) => ` ${field.shown}`).join('');
        return `${String(pcr).padStart(2)} ${listed(entry, by).toString('hex')} ${template}${shown}\n`;
      })
      .join(''),
  );

export const binaryList = (entries: readonly EntryToWrite[], by: HashName = 'sha1'): Buffer =>
  concat(
    ...entries.flatMap((entry) => {
      const { pcr = 10, template } = entry;
      const head = [u32le(pcr), listed(entry, by), u32le(template.length), utf8(template)];
      return [...head, ...binaryFields(entry)];
    }),
  );

function binaryFields(entry: EntryToWrite): Buffer[] {
  const data = hashedData(entry);
  if (entry.template !== 'ima') return [u32le(data.length), data];
  const [digest, name] = entry.fields.map(({ kept }) => kept);
  if (digest === undefined || name === undefined) throw new Error('template ima has two fields');
  return [digest, u32le(name.length - 1), name.subarray(0, -1)]; // its final zero is left out
}

/** PCR 10 after `entries`, as Linux since 5.8 extends `bank`. */
export function pcr10After(entries: readonly EntryToWrite[], bank: HashName): string {
  let value: Buffer = Buffer.alloc(hash(bank, '', 'buffer').length);
  for (const entry of entries.filter(({ pcr = 10 }) => pcr === 10)) {
    const digest = hash(bank, hashedData(entry), 'buffer');
    const extension = entry.violation ? Buffer.alloc(digest.length, 0xff) : digest;
    value = hash(bank, concat(value, extension), 'buffer');
  }
  return value.toString('hex');
}
