import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import {
  asciiList,
  binaryList,
  fileEntries,
  fileEntry,
  hashedData,
  pcr10After,
  type EntryToWrite,
} from '#attest/testdata/imaEntries.ts';
import { ALL_TEMPLATES } from '#attest/testdata/imaTemplates.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { ImaReplay } from './replay.ts';

const BANKS: readonly HashName[] = ['sha1', 'sha256', 'sha384', 'sha512'];
const entries = fileEntries(20);
const list = asciiList(entries);
const after = (count: number): string => pcr10After(entries.slice(0, count), 'sha256');

it('advance() finds every part of the list by its register', () => {
  for (let count = 1; count <= entries.length; count += 1) {
    const replay = new ImaReplay('sha256');
    const match = replay.advance({ offset: 0, bytes: list }, after(count));
    expect(match).toEqual({ entries: count, extendedBy: 'bank hash' });
    expect(replay.offset).toBe(asciiList(entries.slice(0, count)).length);
    expect(replay.tally.entries).toBe(count);
  }
});

it('trap 8: advance() takes a list that grew between the quote and its reading', () => {
  const replay = new ImaReplay('sha256');
  const grown = concat(list, asciiList([fileEntry('/later')]));
  expect(replay.advance({ offset: 0, bytes: grown }, after(21))?.entries).toBe(21);
  expect(replay.offset).toBe(list.length);
});

it.each(BANKS)('advance() replays every template in bank %s, of both forms', (bank) => {
  const every = ALL_TEMPLATES.map(([, entry]) => entry);
  for (const bytes of [asciiList(every), binaryList(every)]) {
    const match = new ImaReplay(bank).advance({ offset: 0, bytes }, pcr10After(every, bank));
    expect(match).toEqual({ entries: every.length, extendedBy: 'bank hash' });
  }
});

it.each(BANKS)('advance() replays a list whose column is of bank %s', (by) => {
  const replay = new ImaReplay('sha256');
  for (const bytes of [asciiList(entries, by), binaryList(entries, by)]) {
    expect(replay.advance({ offset: 0, bytes }, after(21))?.entries).toBe(21);
    expect(replay.tally.mismatches).toBe(0);
  }
});

it('advance() knows PCR 10 from other registers', () => {
  const others = entries.map((entry, i) => (i % 2 === 0 ? entry : { ...entry, pcr: 11 }));
  const quoted = pcr10After(others, 'sha256');
  const replay = new ImaReplay('sha256');
  expect(replay.advance({ offset: 0, bytes: asciiList(others) }, quoted)?.entries).toBe(21);
});

/** Kernels before 5.8: the SHA-1 template hash and zeros, in a register of 32 bytes. */
function paddedAfter(of: readonly EntryToWrite[], ones: number): string {
  let value: Buffer = Buffer.alloc(32);
  for (const entry of of) {
    const extension = Buffer.alloc(32);
    if (entry.violation) extension.fill(0xff, 0, ones);
    else hash('sha1', hashedData(entry), 'buffer').copy(extension);
    value = hash('sha256', concat(value, extension), 'buffer');
  }
  return value.toString('hex');
}

describe('advance() with violations', () => {
  const violated = [...entries, { ...fileEntry('/open'), violation: true }, fileEntry('/next')];
  const bytes = asciiList(violated);

  it('extends ones where the list has zeros', () => {
    const replay = new ImaReplay('sha384');
    expect(replay.advance({ offset: 0, bytes }, pcr10After(violated, 'sha384'))?.entries).toBe(23);
    expect(replay.tally).toMatchObject({ violations: 1, mismatches: 0 });
  });

  it.each([20, 32])('knows the padded SHA-1 of old kernels, a violation being %i ones', (ones) => {
    const match = new ImaReplay('sha256').advance(
      { offset: 0, bytes },
      paddedAfter(violated, ones),
    );
    expect(match).toEqual({ entries: 23, extendedBy: 'padded sha1' });
  });
});

it('advance() finds no part of an edited list from the edit on', () => {
  const edited = Buffer.from(list.toString().replace('program-9', 'program-x'));
  const replay = new ImaReplay('sha256');
  expect(replay.advance({ offset: 0, bytes: edited }, after(21))).toBeNull();
  expect(replay.advance({ offset: 0, bytes: edited }, after(10))?.entries).toBe(10);
});

it('advance() finds no entry in a register that nothing extended (bank confusion)', () => {
  expect(new ImaReplay('sha256').advance({ offset: 0, bytes: list }, '00'.repeat(32))).toBeNull();
});

describe('advance() from quote to quote', () => {
  it('replays only what is new, with the result of replaying all', () => {
    const replay = new ImaReplay('sha256');
    for (const count of [3, 4, 12, 21]) {
      const bytes = asciiList(entries.slice(0, count)).subarray(replay.offset);
      const match = replay.advance({ offset: replay.offset, bytes }, after(count));
      expect(match).toEqual({ entries: count, extendedBy: 'bank hash' });
    }
    const whole = new ImaReplay('sha256');
    whole.advance({ offset: 0, bytes: list }, after(21));
    expect(replay.tally).toEqual(whole.tally);
    expect(replay.offset).toBe(whole.offset);
  });

  it('takes a quote of a moment when nothing was new', () => {
    const replay = new ImaReplay('sha256');
    const match = replay.advance({ offset: 0, bytes: list }, after(21));
    const nothing = { offset: replay.offset, bytes: Buffer.alloc(0) };
    expect(replay.advance(nothing, after(21))).toEqual(match);
  });

  it('stays where it was when a quote is not reached, and goes on from there', () => {
    const replay = new ImaReplay('sha256');
    replay.advance({ offset: 0, bytes: list.subarray(0) }, after(5));
    const { offset } = replay;
    const forged = asciiList([{ ...fileEntry('/forged') }]);
    expect(replay.advance({ offset, bytes: forged }, after(6))).toBeNull();
    expect([replay.offset, replay.tally.entries]).toEqual([offset, 5]);
    expect(replay.advance({ offset, bytes: list.subarray(offset) }, after(6))?.entries).toBe(6);
  });

  it('starts over with the list of another boot', () => {
    const replay = new ImaReplay('sha256');
    replay.advance({ offset: 0, bytes: list }, after(21));
    const next = [fileEntry('boot_aggregate', Buffer.alloc(32, 8)), fileEntry('/init')];
    const match = replay.advance({ offset: 0, bytes: asciiList(next) }, pcr10After(next, 'sha256'));
    expect(match?.entries).toBe(2);
    expect(replay.tally.bootAggregate?.value).toBe('08'.repeat(32));
  });

  it('refuses a piece that leaves entries out', () => {
    const replay = new ImaReplay('sha256');
    replay.advance({ offset: 0, bytes: list }, after(5));
    const late = { offset: replay.offset + 1, bytes: list };
    expect(() => replay.advance(late, after(6))).toThrow('the replay stands at');
  });
});
