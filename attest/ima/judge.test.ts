import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import {
  asciiList,
  binaryList,
  fileEntries,
  fileEntry,
  NO_FIELD,
  type EntryToWrite,
  pcr10After,
} from '#attest/testdata/imaEntries.ts';
import { noVectors, truths, vector } from '#attest/testdata/vectors.ts';
import { judgeIma, type ImaAnswer } from './judge.ts';

const entries = fileEntries(4);
const list = asciiList(entries);
const unsigned = ({ fields }: EntryToWrite): EntryToWrite => ({
  template: 'ima-sig',
  fields: [...fields, NO_FIELD],
});
const codes = ({ findings }: ImaAnswer): string[] => findings.map(({ code }) => code);

it('judgeIma() replays every bank and finds nothing in a good list', () => {
  const { pcrs, ...answer } = judgeIma({ list });
  expect(answer).toEqual({
    form: 'ascii',
    entries: 5,
    templates: { 'ima-ng': 5 },
    violations: 0,
    mismatches: 0,
    bootAggregate: { algorithm: 'sha256', value: '07'.repeat(32), zero: false },
    findings: [],
  });
  for (const bank of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
    expect(pcrs[bank]).toEqual({ '10': pcr10After(entries, bank) });
  }
});

it.each([
  ['ima-ng', entries],
  ['ima-sig, empty at its end', entries.map(unsigned)],
] as const)('judgeIma() reads a list of %s with the line ends of Windows', (_, written) => {
  const unix = asciiList(written);
  const windows = Buffer.from(unix.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
  expect(judgeIma({ list: windows })).toEqual(judgeIma({ list: unix }));
});

it('judgeIma() keeps a carriage return that belongs to a name', () => {
  const answer = judgeIma({ list: asciiList([...entries, fileEntry('/tmp/odd\r')]) });
  expect(answer.mismatches).toBe(0);
});

it('judgeIma() tells how far it is, to the end', () => {
  const done: number[] = [];
  judgeIma({ list, onProgress: (bytes) => void done.push(bytes) });
  expect(done).toHaveLength(entries.length);
  expect(done.at(-1)).toBe(list.length);
});

it('judgeIma() counts registers by themselves', () => {
  const mixed = [...entries, { ...fileEntry('/twelve'), pcr: 12 }];
  const { pcrs } = judgeIma({ list: binaryList(mixed) });
  expect(Object.keys(pcrs['sha256'] ?? {})).toEqual(['10', '12']);
  expect(pcrs['sha256']?.['10']).toBe(pcr10After(entries, 'sha256'));
});

it.each([
  ['the name', /program-2/, 'program-x'],
  ['the algorithm', /sha256:/, 'sha512:'],
  ['the digest', /:../, ':00'],
  ['the template hash', /^10 ../, '10 00'],
])('judgeIma() finds an entry altered in %s', (_, what, by) => {
  const lines = list.toString().split('\n');
  lines[3] = lines[3]?.replace(what, by) ?? '';
  const answer = judgeIma({ list: Buffer.from(lines.join('\n')) });
  expect(answer.mismatches).toBe(1);
  expect(answer.findings).toMatchObject([
    { code: 'TEMPLATE_HASH_MISMATCH', severity: 'error', event: 3, pcr: 10 },
  ]);
});

it('judgeIma() describes a hundred altered entries and counts all', () => {
  const edited = asciiList(fileEntries(250)).toString().replaceAll('/usr/bin/', '/opt/bin/');
  const answer = judgeIma({ list: Buffer.from(edited) });
  expect(answer.mismatches).toBe(250);
  expect(answer.findings).toHaveLength(100);
});

it('judgeIma() counts violations, which fail nothing by themselves', () => {
  const answer = judgeIma({
    list: asciiList([...entries, { ...fileEntry('/o'), violation: true }]),
  });
  expect(answer).toMatchObject({ violations: 1, mismatches: 0 });
  expect(answer.findings).toMatchObject([
    { code: 'VIOLATION', severity: 'warning', event: 5, pcr: 10 },
  ]);
});

it('judgeIma() flags a boot aggregate of zeros, and a list without one', () => {
  const zero = asciiList([fileEntry('boot_aggregate', Buffer.alloc(32)), ...entries.slice(1)]);
  expect(codes(judgeIma({ list: zero }))).toEqual(['ZERO_BOOT_AGGREGATE']);
  expect(codes(judgeIma({ list: asciiList(entries.slice(1)) }))).toEqual(['NO_BOOT_AGGREGATE']);
});

it('judgeIma() says which part leads to a register, or that none does', () => {
  const quoted = { bank: 'sha384', value: pcr10After(entries.slice(0, 2), 'sha384') } as const;
  const found = judgeIma({ list, quoted });
  expect(found.matched).toEqual({ entries: 2, extendedBy: 'bank hash' });
  const lost = judgeIma({ list, quoted: { ...quoted, bank: 'sha256' } });
  expect(lost.matched).toBeNull();
  expect(codes(lost)).toEqual(['PCR_NOT_REACHED']);
});

describe('judgeIma() with the event log of the boot', () => {
  const eventLog = parseEventLog(writeEventLog(BOOT, ['sha256']));
  const replayed = replay(eventLog, 'sha256');
  const registers = Array.from(
    { length: 10 },
    (_, pcr): Buffer => replayed.get(pcr) ?? Buffer.alloc(32),
  );
  const listOver = (aggregate: Buffer): Buffer =>
    asciiList([fileEntry('boot_aggregate', aggregate), ...entries.slice(1)]);

  it('ties a list to its boot', () => {
    const aggregate = hash('sha256', Buffer.concat(registers), 'buffer');
    const answer = judgeIma({ list: listOver(aggregate), eventLog });
    expect(codes(answer)).toEqual([]);
    expect(answer.boot).toEqual({ tied: true, registers: '0-9' });
  });

  it('fails a list of another boot', () => {
    const answer = judgeIma({ list, eventLog });
    expect(answer.findings).toMatchObject([{ code: 'BOOT_AGGREGATE_DIFFERS', severity: 'error' }]);
    expect(answer.boot).toEqual({ tied: false, registers: null });
  });

  it('says when the log is of another bank', () => {
    const answer = judgeIma({ list, eventLog: parseEventLog(writeEventLog(BOOT, ['sha384'])) });
    expect(answer.findings).toMatchObject([
      { code: 'BOOT_AGGREGATE_NOT_TIED', severity: 'warning' },
    ]);
  });
});

/** What TRUTH.json says of an IMA list. */
interface ImaTruth {
  readonly entries: number;
  readonly templates: Readonly<Record<string, number>>;
  readonly template_hash_mismatch: readonly number[];
  readonly violations: readonly number[];
  readonly pcr_sha1: Readonly<Record<string, string>>;
  readonly pcr_sha256: Readonly<Record<string, string>>;
  readonly pcr_sha256_zero_padded_legacy: Readonly<Record<string, string>>;
  readonly first: string;
  readonly flag?: string;
}

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it.each(truths<ImaTruth>('ima'))('judgeIma() agrees on %s', (path, truth) => {
    const answer = judgeIma({ list: vector(path) });
    expect(answer).toMatchObject({
      entries: truth.entries,
      templates: truth.templates,
      mismatches: truth.template_hash_mismatch.length,
      violations: truth.violations.length,
      pcrs: { sha1: truth.pcr_sha1, sha256: truth.pcr_sha256 },
    });
    const { algorithm, value, zero } = answer.bootAggregate ?? {};
    expect(`${algorithm}:${value}`).toBe(truth.first);
    expect(zero).toBe(/:0+$/.test(truth.first));
    expect(codes(answer).includes('ZERO_BOOT_AGGREGATE')).toBe(zero);
  });

  it.each(truths<ImaTruth>('ima'))(
    'judgeIma() matches %s as old and new kernels',
    (path, truth) => {
      for (const [extendedBy, pcrs] of [
        ['bank hash', truth.pcr_sha256],
        ['padded sha1', truth.pcr_sha256_zero_padded_legacy],
      ] as const) {
        const quoted = { bank: 'sha256', value: pcrs['10'] ?? '' } as const;
        const { matched } = judgeIma({ list: vector(path), quoted });
        expect(matched).toEqual({ entries: truth.entries, extendedBy });
      }
    },
  );
});
