import { expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { COMMAND_LINE, UEFI_BOOT } from '#attest/testdata/uefi.ts';
import { describeEvent } from './describe.ts';
import { parseEventLog } from './parse.ts';
import { writeEventLog, type EventToWrite } from './write.ts';

const words = (events: readonly EventToWrite[]): string[] =>
  parseEventLog(writeEventLog(events, ['sha256']))
    .events.slice(1)
    .map(describeEvent);

it('describeEvent() says what a boot measured in words of the trade', () => {
  expect([...new Set(words(UEFI_BOOT))]).toEqual([
    'firmware version Test firmware 1.0',
    'Secure Boot variable SecureBoot = 1',
    'Secure Boot variable PK, empty',
    'Secure Boot variable db: Test UEFI CA; 1 x509, 2 sha256',
    'separator',
    'boot variable BootOrder: Boot0001, Boot000A',
    expect.stringMatching(/^boot variable Boot0001: debian, PciRoot.*\\shimx64\.efi$/),
    'action Calling EFI Application from Boot Option',
    'Secure Boot authority db: Test UEFI CA',
    expect.stringMatching(/^partition table of disk .*, 1 partitions$/),
    'boot loader \\EFI\\debian\\shimx64.efi',
    'machine owner keys MokList',
    'Secure Boot authority SbatLevel: sbat,1,2024\\x0a',
    'boot loader (loaded from memory)',
    'file (hd0,gpt1)/grub.cfg',
    `GRUB command linux ${COMMAND_LINE}`,
    `kernel command line ${COMMAND_LINE}`,
    'Linux initrd',
    'action Exit Boot Services Invocation',
    'action Exit Boot Services Returned with Success',
  ]);
});

it('describeEvent() tells sections and phases of a unified kernel image, and its command line', () => {
  const ipl = (pcr: number, text: string): EventToWrite => ({
    pcr,
    type: 'EV_IPL',
    data: Buffer.from(`${text}\0`, 'utf16le'),
  });
  expect(words([ipl(11, '.linux'), ipl(11, 'enter-initrd'), ipl(12, 'quiet')])).toEqual([
    'UKI section .linux',
    'boot phase enter-initrd',
    'kernel command line quiet',
  ]);
});

it('describeEvent() stays short, and does not let a log name what is not there', () => {
  const line = (text: string): EventToWrite => ({ pcr: 8, type: 'EV_IPL', data: utf8(text) });
  const [long = ''] = words([line(`kernel_cmdline: ${'x'.repeat(9000)}`)]);
  expect(long).toHaveLength(162);
  const block: EventToWrite = {
    pcr: 1,
    type: 'EV_PLATFORM_CONFIG_FLAGS',
    data: utf8('constructor\0\0\0\0\0\u0001\0\0\0x'),
  };
  expect(words([block])).toEqual(['constructor x']);
});
