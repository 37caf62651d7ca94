import { expect, it } from 'vitest';
import { sha256, utf8 } from '#agent/base/bytes.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import {
  COMMAND_LINE,
  imageLoad,
  secureBoot,
  separator,
  textEvent,
  UEFI_BOOT,
  utf16,
} from '#attest/testdata/uefi.ts';
import { bootFacts } from './boot.ts';
import { readEvents } from './decode.ts';
import { parseEventLog } from './parse.ts';
import { PCRS } from './registers.ts';
import { writeEventLog, type EventToWrite } from './write.ts';

const factsOf = (events: readonly EventToWrite[], edit: (log: Buffer) => Buffer = (log) => log) =>
  bootFacts(readEvents(parseEventLog(edit(writeEventLog(events, ['sha256'])))), PCRS);

const digestOf = (text: string): object => ({ sha256: sha256(utf8(text)).toString('hex') });

const application = (image: string): EventToWrite => ({
  pcr: 4,
  type: 'EV_EFI_BOOT_SERVICES_APPLICATION',
  data: imageLoad(new Uint8Array()),
  measured: utf8(image),
});
const EXIT = textEvent(5, 'EV_EFI_ACTION', 'Exit Boot Services Invocation');
const commandLine = (text: string): EventToWrite => ({
  ...textEvent(8, 'EV_IPL', `kernel_cmdline: ${text}\0`),
  measured: utf8(text),
});

it('bootFacts() collects keys, authorities, boot loaders, files and the command line', () => {
  expect(factsOf(UEFI_BOOT)).toMatchObject({
    keys: [
      { name: 'PK', measured: true, counts: {} },
      { name: 'db', measured: true, counts: { x509: 1, sha256: 2 } },
    ],
    authorities: [
      { name: 'db', text: 'Test UEFI CA', measured: true },
      { name: 'SbatLevel', text: 'sbat,1,2024\\x0a', measured: true },
    ],
    mokLists: [{ name: 'MokList', digests: digestOf('keys') }],
    bootOrder: ['Boot0001', 'Boot000A'],
    bootOptions: [{ name: 'Boot0001', description: 'debian', measured: true }],
    efiApplications: [
      { path: '\\EFI\\debian\\shimx64.efi', digests: digestOf('shim'), measured: true },
      { path: null, digests: digestOf('grub'), measured: true },
    ],
    kernelCommandLine: COMMAND_LINE,
    kernelCommandLines: [{ text: COMMAND_LINE, measured: true }],
    files: [{ name: '(hd0,gpt1)/grub.cfg', digests: digestOf('configuration') }],
    ukiSections: [],
    exitBootServices: true,
  });
});

it('bootFacts() proves no boot loader without a measured ExitBootServices, nor one after it', () => {
  const proven = (events: readonly EventToWrite[]) =>
    factsOf(events).efiApplications.map(({ measured }) => measured);
  expect(proven([application('grub')])).toEqual([false]);
  expect(proven([application('grub'), EXIT, application('fake')])).toEqual([true, false]);
  expect(proven([application('grub'), { ...EXIT, pcr: 14 }])).toEqual([false]);
});

it('bootFacts() lists the drivers that firmware loaded', () => {
  const driver = { ...application('option ROM'), pcr: 2, type: 'EV_EFI_BOOT_SERVICES_DRIVER' };
  expect(factsOf([driver, EXIT])).toMatchObject({
    efiApplications: [],
    efiDrivers: [{ path: null, digests: digestOf('option ROM'), measured: true }],
  });
});

it('bootFacts() knows ExitBootServices by what was measured, however the log was edited (trap 1)', () => {
  const hidden: EventToWrite = { pcr: 5, type: 'EV_IPL', data: utf8('-'), measured: EXIT.data };
  const events = [application('grub'), hidden, application('fake'), EXIT];
  expect(factsOf(events).efiApplications.map(({ measured }) => measured)).toEqual([true, false]);
});

it('bootFacts() takes nothing for measured that a bank of the log has no digest of', () => {
  const invented = { ...commandLine('fake'), banks: ['sha1'] as const };
  const fakeLoader = { ...application('fake'), banks: ['sha1'] as const };
  const both = (events: readonly EventToWrite[]) =>
    bootFacts(readEvents(parseEventLog(writeEventLog(events, ['sha1', 'sha256']))), PCRS);
  expect(both([application('grub'), fakeLoader, invented, EXIT])).toMatchObject({
    efiApplications: [{ measured: true }, { measured: false }],
    kernelCommandLine: null,
    exitBootServices: true,
  });
});

it('bootFacts() ends a boot where one bank says so, and takes it for proven where all do', () => {
  const invented = { ...EXIT, banks: ['sha1'] as const };
  const both = (events: readonly EventToWrite[]) =>
    bootFacts(readEvents(parseEventLog(writeEventLog(events, ['sha1', 'sha256']))), PCRS);
  expect(both([application('grub'), invented, commandLine('fake'), EXIT])).toMatchObject({
    efiApplications: [{ measured: false }],
    kernelCommandLine: null,
    exitBootServices: false,
  });
});

it('bootFacts() takes no command line that was edited, or that the system added after its start', () => {
  const edit = (log: Buffer): Buffer => flipped(log, log.indexOf('kernel_cmdline: quiet') + 16);
  expect(factsOf([commandLine('quiet')], edit)).toMatchObject({
    kernelCommandLine: null,
    kernelCommandLines: [{ measured: false }],
  });
  const { kernelCommandLine } = factsOf([commandLine('quiet'), EXIT, commandLine('fake')]);
  expect(kernelCommandLine).toBe('quiet');
});

it('bootFacts() takes keys only from before the separator, and only from PCR 7', () => {
  const [db] = UEFI_BOOT.filter(({ type, data }) => type.endsWith('CONFIG') && data.length > 100);
  if (db === undefined) throw new Error('the boot measures db');
  const keys = factsOf([secureBoot(1), separator(7), db, { ...db, pcr: 14 }]).keys;
  expect(keys.map(({ event, measured }) => [event, measured])).toEqual([[3, false]]);
});

it('bootFacts() names the sections of a unified kernel image and what was added to its command line', () => {
  const section: EventToWrite = {
    pcr: 11,
    type: 'EV_IPL',
    data: utf16('.linux\0'),
    measured: utf8('kernel'),
  };
  const named = { ...section, measured: utf8('.linux\0') };
  const added: EventToWrite = { pcr: 12, type: 'EV_IPL', data: utf16('debug\0') };
  expect(factsOf([named, section, added])).toMatchObject({
    ukiSections: [{ name: '.linux', digests: digestOf('kernel') }],
    kernelCommandLine: 'debug',
  });
});
