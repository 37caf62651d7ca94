import { expect, it } from 'vitest';
import { concat, utf8 } from '#agent/base/bytes.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { uefiVariable, utf16 } from '#attest/testdata/uefi.ts';
import { coverageOf } from './coverage.ts';
import { GLOBAL_VARIABLE, SHIM_LOCK } from './guid.ts';
import { parseEventLog } from './parse.ts';
import { writeEventLog, type EventToWrite } from './write.ts';

function covered(event: EventToWrite) {
  const [, read] = parseEventLog(writeEventLog([event], ['sha1', 'sha256'])).events;
  if (read === undefined) throw new Error('the log has an event');
  const { part, measured } = coverageOf(read);
  return [part, measured.toString('latin1')];
}

const line = (text: string, measured: Uint8Array): EventToWrite => ({
  pcr: 8,
  type: 'EV_IPL',
  data: utf8(text),
  measured,
});

it('coverageOf() finds the whole data measured', () => {
  expect(covered(line('quiet', utf8('quiet')))).toEqual(['whole', 'quiet']);
});

it('coverageOf() finds the text of a GRUB line measured without its label, with or without its NUL', () => {
  expect(covered(line('grub_cmd: boot\0', utf8('boot')))).toEqual(['text', 'boot']);
  expect(covered(line('grub_cmd boot\0', utf8('boot\0')))).toEqual(['text', 'boot\0']);
  expect(covered(line('kernel_cmdline: quiet\0', utf8('quiet')))).toEqual(['text', 'quiet']);
  expect(covered(line('grub_kernel_cmdline quiet\0', utf8('quiet')))).toEqual(['text', 'quiet']);
});

it('coverageOf() lets nobody add a character to a line but the NUL that ends it', () => {
  expect(covered(line('kernel_cmdline: quiet1', utf8('quiet')))).toEqual(['none', '']);
});

it('coverageOf() does not stretch the rule to labels that no boot loader writes', () => {
  expect(covered(line('innocent: boot\0', utf8('boot')))).toEqual(['none', '']);
});

it('coverageOf() finds the last byte miscounted by old shim and systemd-boot', () => {
  const data = uefiVariable(SHIM_LOCK, 'Shim', utf8('certificate'));
  const stray = concat(data, Uint8Array.of(7));
  const type = 'EV_EFI_VARIABLE_AUTHORITY';
  const shim = { pcr: 7, type, data: stray, measured: data };
  expect(covered(shim)).toEqual(['shortened', data.toString('latin1')]);
  const text = utf16('quiet\0');
  expect(covered({ ...line('', text), data: text.subarray(0, -1) })).toEqual([
    'shortened',
    text.toString('latin1'),
  ]);
});

it('coverageOf() finds the contents of a boot variable or block measured without the name', () => {
  const contents = Uint8Array.of(1, 0);
  const data = uefiVariable(GLOBAL_VARIABLE, 'BootOrder', contents);
  const boot = { pcr: 1, type: 'EV_EFI_VARIABLE_BOOT', data, measured: contents };
  expect(covered(boot)[0]).toBe('contents');
  expect(covered({ ...boot, type: 'EV_EFI_VARIABLE_DRIVER_CONFIG' })[0]).toBe('none');
  const block = concat(utf8('td_payload_info\0'), Buffer.alloc(4), utf8('quiet'));
  const type = 'EV_PLATFORM_CONFIG_FLAGS';
  expect(covered({ pcr: 2, type, data: block, measured: utf8('quiet') })[0]).toBe('contents');
});

it('coverageOf() asks every bank: one that disagrees leaves nothing covered', () => {
  const log = writeEventLog([line('quiet', utf8('quiet'))], ['sha1', 'sha256']);
  const sha256 = log.length - 'quiet'.length - 4 - 32;
  const [, read] = parseEventLog(flipped(log, sha256)).events;
  expect(read && coverageOf(read).part).toBe('none');
});

it('coverageOf() covers nothing of an event that a bank of the log has no digest of', () => {
  const partial = { ...line('quiet', utf8('quiet')), banks: ['sha1'] as const };
  expect(covered(partial)[0]).toBe('whole');
  const [, read] = parseEventLog(
    writeEventLog([partial, line('quiet', utf8('quiet'))], ['sha1', 'sha256']),
  ).events;
  expect(read && coverageOf(read).part).toBe('none');
});

it('coverageOf() finds nothing of EV_NO_ACTION measured, whatever its digest', () => {
  const log = writeEventLog([line('quiet', utf8('quiet'))], ['sha256']);
  const at = log.lastIndexOf(Uint8Array.of(0x0d, 0, 0, 0), log.length - 40);
  log.writeUInt32LE(3, at);
  const [, read] = parseEventLog(log).events;
  expect(read).toMatchObject({ type: 3, data: Buffer.from('quiet') });
  expect(read && coverageOf(read).part).toBe('none');
});
