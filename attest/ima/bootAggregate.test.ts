import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat, hex } from '#agent/base/bytes.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import {
  asciiList,
  digestField,
  fileEntry,
  hexField,
  textField,
  type EntryToWrite,
} from '#attest/testdata/imaEntries.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { bootAggregate, bootAggregateOf } from './bootAggregate.ts';
import { imaEntries } from './list.ts';
import { tieToBoot } from './tie.ts';

const statedBy = (bytes: Buffer) => {
  const [first] = imaEntries(bytes);
  return first && bootAggregateOf(first);
};
const stated = (entry: EntryToWrite) => statedBy(asciiList([entry]));

const pcrs = new Map(Array.from({ length: 10 }, (_, pcr) => [pcr, Buffer.alloc(32, pcr + 1)]));
const over = (last: number): string =>
  hash('sha256', concat(...[...pcrs.values()].slice(0, last + 1)), 'hex');
const aggregate = (digest: Buffer, algorithm = 'sha256') =>
  stated({
    template: 'ima-ng',
    fields: [digestField(algorithm, digest), textField('boot_aggregate')],
  });

it('bootAggregateOf() reads algorithm and value in every template', () => {
  const digest = Buffer.alloc(32, 7);
  const expected = { algorithm: 'sha256', value: hex(digest), zero: false };
  expect(aggregate(digest)).toEqual(expected);
  const name = textField('boot_aggregate');
  const v2 = { template: 'ima-ngv2', fields: [digestField('ima:sha256', digest), name] };
  expect(stated(v2)).toEqual(expected);
  const fixed = { template: 'ima', fields: [hexField(digest.subarray(0, 20)), name] };
  expect(stated(fixed)).toEqual({ algorithm: 'sha1', value: '07'.repeat(20), zero: false });
});

it('bootAggregateOf() flags zeros, and takes nothing else for one', () => {
  expect(aggregate(Buffer.alloc(32))).toMatchObject({ zero: true });
  expect(stated(fileEntry('/boot_aggregate'))).toBeUndefined();
});

it('bootAggregateOf() tells no name of an algorithm that no kernel has', () => {
  expect(aggregate(Buffer.alloc(32, 7), '\u001b[2J')).toMatchObject({ algorithm: 'unknown' });
  const kept = Buffer.concat([Buffer.from(':\0'), Buffer.alloc(20, 7)]);
  const unnamed = { kept, shown: '07'.repeat(20) };
  const entry = { template: 'ima-ng', fields: [unnamed, textField('boot_aggregate')] };
  expect(stated(entry)).toMatchObject({ algorithm: 'unknown', value: '07'.repeat(20) });
});

it('bootAggregate() is over PCR 0 to 9 first, and over PCR 0 to 7', () => {
  expect([...bootAggregate(pcrs, 'sha256')]).toEqual([
    ['0-9', over(9)],
    ['0-7', over(7)],
  ]);
});

it('bootAggregate() leaves PCR 8 and 9 out of SHA-1, and ranges that are not all known', () => {
  const eight = new Map([...pcrs].slice(0, 8));
  expect([...bootAggregate(eight, 'sha256').keys()]).toEqual(['0-7']);
  expect([...bootAggregate(pcrs, 'sha1').keys()]).toEqual(['0-7']);
  expect(bootAggregate(new Map([...pcrs].slice(1)), 'sha256').size).toBe(0);
});

describe('tieToBoot()', () => {
  const known = () => pcrs;

  it.each([
    ['0-9', over(9)],
    ['0-7', over(7)],
  ])('ties a list by PCR %s', (range, value) => {
    expect(tieToBoot(aggregate(Buffer.from(value, 'hex')), known)).toEqual({ tied: true, range });
  });

  it('says which values would have been right', () => {
    const tie = tieToBoot(aggregate(Buffer.alloc(32, 9)), known);
    expect(tie).toMatchObject({ tied: false, known: true });
    expect(tie).toHaveProperty('why', expect.stringContaining(`${over(9)} over PCR 0-9`));
  });

  it.each([
    ['no boot_aggregate', undefined, 'does not start with boot_aggregate'],
    ['zeros', aggregate(Buffer.alloc(32)), 'all zero'],
    ['an algorithm of no bank', aggregate(Buffer.alloc(32, 9), 'sm3_256'), 'no bank is of sm3_256'],
    ['a digest of another size', aggregate(Buffer.alloc(20, 9)), 'no bank is of sha256'],
  ])('knows nothing of %s', (_, given, why) => {
    const tie = tieToBoot(given, known);
    expect(tie).toMatchObject({ tied: false, known: false });
    expect(tie).toHaveProperty('why', expect.stringContaining(why));
  });

  it('knows nothing where the registers are not known', () => {
    const tie = tieToBoot(aggregate(Buffer.alloc(32, 9)), () => new Map());
    expect(tie).toMatchObject({ tied: false, known: false });
  });
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it('bootAggregate() of a real boot is what its kernel listed', () => {
    const log = parseEventLog(vector('eventlog/imaevm/sample-binary_bios_measurements-pcrs-8-9'));
    const listed = statedBy(vector('ima/imaevm_sample.ascii'));
    expect(bootAggregate(replay(log, 'sha256'), 'sha256').get('0-9')).toBe(listed?.value);
  });
});
