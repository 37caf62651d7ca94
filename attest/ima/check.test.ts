import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import type { Check } from '#attest/check.ts';
import {
  asciiList,
  fileEntries,
  fileEntry,
  pcr10After,
  type EntryToWrite,
} from '#attest/testdata/imaEntries.ts';
import { checkImaList } from './check.ts';

const boot = Array.from({ length: 10 }, (_, pcr) => Buffer.alloc(32, pcr + 1));
const aggregate = hash('sha256', concat(...boot), 'buffer');
const entries = [fileEntry('boot_aggregate', aggregate), ...fileEntries(3).slice(1)];

const quotedAfter = (of: readonly EntryToWrite[]) =>
  new Map([...boot.entries(), [10, Buffer.from(pcr10After(of, 'sha256'), 'hex')] as const]);
const check = (of: readonly EntryToWrite[], quoted = quotedAfter(of)): Check[] =>
  checkImaList(asciiList(of), 'sha256', quoted);
const results = (checks: readonly Check[]) => checks.map(({ name, result }) => [name, result]);

it('checkImaList() confirms a list, its entries and its boot', () => {
  expect(results(check(entries))).toEqual([
    ['IMA list', 'pass'],
    ['IMA entries', 'pass'],
    ['IMA boot aggregate', 'pass'],
  ]);
});

it('trap 8: checkImaList() says how much of a list came after the quote', () => {
  const [list] = check([...entries, fileEntry('/later')], quotedAfter(entries));
  expect(list).toMatchObject({ result: 'pass' });
  expect(list?.text).toMatch(
    /^The quoted PCR 10 is that of 4 entries \(.* bytes of the list came after/,
  );
});

it('trap 4: checkImaList() refuses a list that another bank confirms', () => {
  const quoted = quotedAfter(entries).set(10, Buffer.from(pcr10After(entries, 'sha1'), 'hex'));
  expect(check(entries, quoted)).toMatchObject([{ name: 'IMA list', ceiling: 'contraindicated' }]);
});

it('checkImaList() confirms nothing without PCR 10', () => {
  const quoted = new Map(boot.entries());
  expect(check(entries, quoted)).toMatchObject([{ result: 'not checked', ceiling: 'none' }]);
});

it('checkImaList() refuses a list of another boot', () => {
  const other = [fileEntry('boot_aggregate', Buffer.alloc(32, 9)), ...entries.slice(1)];
  expect(check(other).at(-1)).toMatchObject({ result: 'fail', ceiling: 'contraindicated' });
});

it('checkImaList() warns of zeros for a boot aggregate, and of violations', () => {
  const zero = [fileEntry('boot_aggregate', Buffer.alloc(32)), ...entries.slice(1)];
  expect(check(zero).at(-1)).toMatchObject({ result: 'fail', ceiling: 'warning' });
  const violated = [...entries, { ...fileEntry('/open'), violation: true }];
  expect(check(violated)[1]).toMatchObject({ result: 'fail', ceiling: 'warning' });
});

it('checkImaList() leaves the boot open where its registers are not quoted', () => {
  const quoted = new Map([...quotedAfter(entries)].filter(([pcr]) => pcr === 10));
  expect(check(entries, quoted).at(-1)).toMatchObject({ result: 'not checked' });
});

it('checkImaList() refuses an altered template hash though PCR 10 holds', () => {
  const lines = asciiList(entries).toString().split('\n');
  lines[2] = lines[2]?.replace(/^10 ../, '10 00') ?? '';
  const checks = checkImaList(Buffer.from(lines.join('\n')), 'sha256', quotedAfter(entries));
  expect(checks.slice(0, 2)).toMatchObject([
    { name: 'IMA list', result: 'pass' },
    { name: 'IMA entries', result: 'fail', ceiling: 'contraindicated' },
  ]);
});
