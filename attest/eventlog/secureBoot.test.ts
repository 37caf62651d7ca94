import { expect, it } from 'vitest';
import { concat, utf8 } from '#agent/base/bytes.ts';
import { flipped, outcome } from '#attest/testdata/hostile.ts';
import { secureBoot, separator, UEFI_BOOT } from '#attest/testdata/uefi.ts';
import { readEvents } from './decode.ts';
import { parseEventLog } from './parse.ts';
import { PCRS, RTMRS } from './registers.ts';
import { replay } from './replay.ts';
import { secureBootOf } from './secureBoot.ts';
import { eventDigest, writeEventLog, type EventToWrite } from './write.ts';

/** State and codes of a log of these events; `edit` changes the bytes of the log afterwards. */
function stateOf(
  events: readonly EventToWrite[],
  edit: (log: Buffer) => Buffer = (log) => log,
  registers = PCRS,
) {
  const log = edit(writeEventLog(events, ['sha1', 'sha256']));
  const { enabled, findings } = secureBootOf(readEvents(parseEventLog(log)), registers);
  return [enabled, ...findings.map(({ code, severity }) => `${code} ${severity}`)];
}

/** The type field of the event that carries `data`. */
const retyped =
  (data: Uint8Array, type: number) =>
  (log: Buffer): Buffer => {
    const copy = Buffer.from(log);
    const [header, digests, size] = [8, 4 + 2 + 20 + 2 + 32, 4];
    copy.writeUInt32LE(type, copy.indexOf(data) - size - digests - header + 4);
    return copy;
  };

it('secureBootOf() takes the one value that was measured before the separator', () => {
  expect(stateOf([secureBoot(1), separator(7)])).toEqual([true]);
  expect(stateOf([secureBoot(0), separator(7)])).toEqual([false]);
  expect(stateOf([secureBoot(1), secureBoot(1), separator(7)])).toEqual([true]);
  expect(stateOf(UEFI_BOOT)).toEqual([true]);
});

it('secureBootOf() knows nothing when the variable is missing, empty, odd or said twice', () => {
  expect(stateOf([separator(7)])).toEqual([null, 'SECURE_BOOT_MISSING info']);
  expect(stateOf([secureBoot(), separator(7)])).toEqual([null, 'SECURE_BOOT_EMPTY warning']);
  expect(stateOf([secureBoot(2), separator(7)])).toEqual([null, 'SECURE_BOOT_INVALID warning']);
  expect(stateOf([secureBoot(1, 0), separator(7)])).toEqual([null, 'SECURE_BOOT_INVALID warning']);
  expect(stateOf([secureBoot(0), secureBoot(1), separator(7)])).toEqual([
    null,
    'SECURE_BOOT_AMBIGUOUS warning',
  ]);
});

it('secureBootOf() does not believe data that was edited (trap 1)', () => {
  const edit = (log: Buffer): Buffer =>
    flipped(log, log.indexOf(secureBoot(0).data) + secureBoot(0).data.length - 1);
  expect(stateOf([secureBoot(0), separator(7)], edit)).toEqual([
    null,
    'SECURE_BOOT_NOT_COVERED error',
  ]);
});

it('secureBootOf() does not depend on the type of the event, which nothing covers (trap 1)', () => {
  const { data } = secureBoot(1);
  expect(stateOf([secureBoot(1), separator(7)], retyped(data, 0x0d))).toEqual([true]);
});

it('secureBootOf() ignores what is measured after the separator or into another register', () => {
  expect(stateOf([secureBoot(0), separator(7), secureBoot(1)])).toEqual([
    false,
    'SECURE_BOOT_LATE warning',
  ]);
  expect(stateOf([{ ...secureBoot(1), pcr: 14 }, separator(7)])).toEqual([
    null,
    'SECURE_BOOT_MISSING info',
  ]);
});

it('secureBootOf() is not deceived by a system that hides firmware’s events and adds its own', () => {
  // The digests stay, so that the replay still meets a quote; all the rest is the editor's choice.
  const hidden: EventToWrite = {
    pcr: 7,
    type: 'EV_IPL',
    data: utf8('nothing'),
    measured: secureBoot(0).data,
  };
  const hiddenSeparator: EventToWrite = {
    pcr: 7,
    type: 'EV_IPL',
    data: utf8('nothing'),
    measured: Buffer.alloc(4),
  };
  expect(stateOf([hidden, hiddenSeparator, secureBoot(1)])).toEqual([
    null,
    'SECURE_BOOT_LATE warning',
    'SECURE_BOOT_NOT_COVERED error',
  ]);
});

it('secureBootOf() believes no variable that a bank of the log does not have', () => {
  const hidden = { ...secureBoot(0), type: 'EV_EVENT_TAG', data: Buffer.alloc(8) };
  const invented = { ...secureBoot(1), banks: ['sha1'] as const };
  const unknown = [null, 'SECURE_BOOT_NOT_COVERED error'];
  expect(stateOf([{ ...hidden, measured: secureBoot(0).data }, invented, separator(7)])).toEqual(
    unknown,
  );
  const guest = [invented, separator(7)].map((event) => ({ ...event, pcr: 1 }));
  expect(stateOf(guest, undefined, RTMRS)).toEqual(unknown);
});

it('secureBootOf() asks only for banks that the log extends, not for all that its header declares', () => {
  const banks = ['sha256'] as const;
  const boot = [secureBoot(1), separator(7)].map((event) => ({ ...event, banks }));
  expect(stateOf(boot)).toEqual([true]);
});

it('secureBootOf() knows a separator by one bank, and nothing while an event before it is hidden', () => {
  // The editor spoils the separator in the bank that is not quoted; the system adds its own variable.
  const spoiled = (log: Buffer): Buffer =>
    flipped(log, log.indexOf(eventDigest(separator(7), 'sha1')));
  expect(stateOf([secureBoot(0), separator(7), secureBoot(1)], spoiled)).toEqual([
    false,
    'SECURE_BOOT_LATE warning',
  ]);
  const hidden = { ...secureBoot(0), type: 'EV_EVENT_TAG', data: Buffer.alloc(8) };
  const measured = secureBoot(0).data;
  expect(stateOf([{ ...hidden, measured }, secureBoot(1), separator(7)])).toEqual([
    null,
    'SECURE_BOOT_NOT_COVERED error',
  ]);
});

it('secureBootOf() reads what was measured, behind whatever label an editor puts before it', () => {
  const measured = secureBoot(0).data;
  const data = concat(utf8('grub_cmd: '), measured);
  const labelled: EventToWrite = { pcr: 7, type: 'EV_IPL', data, measured };
  expect(stateOf([labelled, separator(7)])).toEqual([false]);
  expect(stateOf([labelled, secureBoot(1), separator(7)])).toEqual([
    null,
    'SECURE_BOOT_AMBIGUOUS warning',
  ]);
});

it('secureBootOf() reads RTMR0 of a TDX guest, which stands for PCR 7', () => {
  const guest = [secureBoot(1), separator(7)].map((event) => ({ ...event, pcr: 1 }));
  expect(stateOf(guest, undefined, RTMRS)).toEqual([true]);
  expect(stateOf(guest)).toEqual([null, 'SECURE_BOOT_MISSING info']);
});

it('secureBootOf() never says otherwise while PCR 7 stays, whichever bit of the log is flipped', () => {
  for (const value of [0, 1]) {
    const log = writeEventLog([secureBoot(value), separator(7)], ['sha256']);
    const pcr7 = replay(parseEventLog(log), 'sha256').get(7);
    for (let bit = 0; bit < log.length * 8; bit += 1) {
      const edited = outcome(parseEventLog, flipped(log, bit >> 3, bit & 7));
      if (edited === 'malformed') continue;
      const { enabled } = secureBootOf(readEvents(edited), PCRS);
      const moved = pcr7 === undefined || !replay(edited, 'sha256').get(7)?.equals(pcr7);
      expect(moved || enabled === null || enabled === (value === 1)).toBe(true);
    }
  }
});
