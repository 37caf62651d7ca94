import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { concat, utf8 } from '#agent/base/bytes.ts';
import {
  secureBoot,
  separator,
  textEvent,
  u32le,
  UEFI_BOOT,
  uefiVariable,
} from '#attest/testdata/uefi.ts';
import { logDocument, readLog } from './document.ts';
import { SHIM_LOCK } from './guid.ts';
import { parseEventLog } from './parse.ts';
import { extend, replay } from './replay.ts';
import { eventDigest, writeEventLog, type EventToWrite } from './write.ts';

const FORM = new Set(['SEPARATOR_MISSING', 'EXIT_BOOT_SERVICES_MISSING', 'SECURE_BOOT_MISSING']);

/** `CODE severity event` of each finding, but for those that any log of a few events has. */
function found(log: Buffer, ignored: ReadonlySet<string> = FORM): string[] {
  const { findings } = logDocument(readLog(log));
  return findings
    .filter(({ code }) => !ignored.has(code))
    .map(({ code, severity, event }) => `${code} ${severity} ${event ?? '-'}`);
}

const written = (...events: EventToWrite[]): Buffer => writeEventLog(events, ['sha256']);

const locality = (value: number): EventToWrite => ({
  pcr: 0,
  type: 'EV_NO_ACTION',
  data: concat(utf8('StartupLocality\0'), Uint8Array.of(value)),
});
const measured = textEvent(0, 'EV_EFI_ACTION', 'a measurement');

it('findings: data that was edited fails only where it decides on Secure Boot', () => {
  const edited = (pcr: number, type: string): EventToWrite => ({
    ...textEvent(pcr, type, 'edited'),
    measured: utf8('measured'),
  });
  expect(found(written(edited(7, 'EV_EFI_VARIABLE_AUTHORITY')))).toEqual([
    'DATA_NOT_COVERED error 1',
    'DATA_UNREADABLE warning 1',
    'SECURE_BOOT_NOT_COVERED error 1',
  ]);
  expect(found(written(edited(4, 'EV_EFI_ACTION')))).toEqual(['DATA_NOT_COVERED warning 1']);
  expect(found(written(edited(4, 'EV_COMPACT_HASH')))).toEqual([]);
});

it('findings: an event of PCR 7 does not escape under a type that promises nothing (trap 1)', () => {
  const data = { ...textEvent(7, 'EV_COMPACT_HASH', 'edited'), measured: secureBoot(0).data };
  const codes = ['DATA_NOT_COVERED error 1', 'SECURE_BOOT_NOT_COVERED error 1'];
  expect(found(written(data))).toEqual(codes);
  expect(found(written({ ...data, type: 'EV_EFI_VARIABLE_DRIVER_CONFIG' }))).toEqual([
    'DATA_NOT_COVERED error 1',
    'DATA_UNREADABLE warning 1',
    'SECURE_BOOT_NOT_COVERED error 1',
  ]);
});

it('findings: the stray byte of old shim only warns', () => {
  const data = uefiVariable(SHIM_LOCK, 'Shim', Uint8Array.of(0x30, 0));
  const type = 'EV_EFI_VARIABLE_AUTHORITY';
  const shim = { pcr: 7, type, data: concat(data, Uint8Array.of(7)), measured: data };
  expect(found(written(shim))).toEqual(['DATA_NOT_COVERED warning 1']);
});

it('findings: StartupLocality that comes late, twice or cannot be', () => {
  expect(found(written(locality(3), measured))).toEqual([]);
  expect(found(written(locality(7), measured))).toEqual(['LOCALITY_INVALID warning 1']);
  expect(found(written(measured, locality(3)))).toEqual(['LOCALITY_IGNORED warning 2']);
  expect(found(written(locality(0), locality(3), measured))).toEqual([
    'LOCALITY_IGNORED warning 2',
  ]);
});

it('replay() starts PCR 0 at 4 after a hardware root of trust, unless the log states a locality', () => {
  const hcrtm = textEvent(0, 'EV_EFI_HCRTM_EVENT', 'HCRTM');
  const start = Buffer.alloc(32);
  const from = (last: number): Buffer => {
    start[31] = last;
    return extend('sha256', start, eventDigest(hcrtm, 'sha256'));
  };
  const pcr0 = (...events: EventToWrite[]) => replay(parseEventLog(written(...events)), 'sha256');
  expect(pcr0(hcrtm).get(0)).toEqual(from(4));
  expect(pcr0(locality(3), hcrtm).get(0)).toEqual(from(3));
  expect(pcr0({ ...hcrtm, pcr: 1 }).get(1)).toEqual(from(0));
});

it('findings: EV_NO_ACTION with a digest is told, and never extended', () => {
  const log = written(measured, { ...measured, type: 'EV_EFI_ACTION', pcr: 5 });
  const at = log.lastIndexOf(u32le(0x8000_0007));
  log.writeUInt32LE(3, at);
  expect(found(log)).toEqual(['DATA_UNREADABLE warning 2', 'NO_ACTION_WITH_DIGEST warning 2']);
  expect(replay(parseEventLog(log), 'sha256').has(5)).toBe(false);
});

it('findings: banks that nothing extends, that events leave out, that nobody knows', () => {
  const log = writeEventLog([measured], ['sha1', 'sha256']);
  const [, event] = parseEventLog(log).events;
  const start = log.length - (event?.data.length ?? 0) - 4 - 34 - 22 - 12;
  const oneDigest = concat(
    log.subarray(0, start + 8),
    u32le(1),
    log.subarray(start + 12, start + 34),
    log.subarray(start + 68),
  );
  expect(found(oneDigest)).toEqual(['BANK_NOT_EXTENDED warning -']);
  const second = concat(oneDigest, log.subarray(start));
  expect(found(second)).toEqual(['DATA_NOT_COVERED warning 1', 'DIGEST_MISSING warning 1']);
  const sm3 = Buffer.from(log);
  sm3.writeUInt16LE(0x12, log.indexOf('Spec ID') + 28);
  sm3.writeUInt16LE(0x12, start + 12);
  sm3.writeUInt16LE(20, log.indexOf('Spec ID') + 30);
  expect(logDocument(readLog(sm3))).toMatchObject({
    algorithms: ['sha256'],
    unknownAlgorithms: ['0x0012'],
  });
  expect(found(sm3)).toEqual(['ALGORITHM_UNKNOWN info -']);
});

it('findings: a type that no profile lists, and data that is not what its type says', () => {
  const log = written(measured);
  log.writeUInt32LE(0x1234_5678, log.lastIndexOf(u32le(0x8000_0007)));
  expect(found(log)).toEqual(['EVENT_TYPE_UNKNOWN info 1']);
  expect(found(written(textEvent(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'x')))).toEqual([
    'DATA_UNREADABLE warning 1',
  ]);
});

it('findings: separators that are missing, repeated or say that firmware failed', () => {
  const without = (pcr: number) =>
    UEFI_BOOT.filter((event) => event.type !== 'EV_SEPARATOR' || event.pcr !== pcr);
  const all = new Set<string>();
  expect(found(written(...without(2)), all)).toEqual(['SEPARATOR_MISSING warning -']);
  expect(found(written(...UEFI_BOOT, separator(4)), all)).toEqual([
    `SEPARATOR_REPEATED warning ${UEFI_BOOT.length + 1}`,
  ]);
  const failed = { ...separator(2), data: utf8('error'), measured: Uint8Array.of(1, 0, 0, 0) };
  expect(found(written(failed))).toEqual([
    'DATA_NOT_COVERED warning 1',
    'SEPARATOR_ERROR warning 1',
  ]);
});

it('findings: firmware’s registers closed by a separator and extended all the same', () => {
  const late = textEvent(0, 'EV_EFI_ACTION', 'late');
  expect(found(written(separator(0), late))).toEqual(['AFTER_SEPARATOR warning 2']);
  expect(found(written(separator(4), { ...late, pcr: 4 }))).toEqual([]);
  expect(found(written(separator(7), secureBoot(1)))).toEqual([
    'AFTER_SEPARATOR warning 2',
    'SECURE_BOOT_LATE warning 2',
  ]);
});

it('findings: a boot that nothing ends, and firmware that says it is open', () => {
  const all = new Set<string>();
  const noExit = UEFI_BOOT.filter(({ pcr, type }) => pcr !== 5 || type !== 'EV_EFI_ACTION');
  expect(found(written(...noExit), all)).toEqual(['EXIT_BOOT_SERVICES_MISSING warning -']);
  const said = (text: string) => found(written(textEvent(7, 'EV_EFI_ACTION', text)));
  expect(said('UEFI Debug Mode')).toEqual(['DEBUG_MODE warning 1']);
  expect(said('DMA Protection Disabled')).toEqual(['DMA_PROTECTION_DISABLED warning 1']);
  expect(said('constructor')).toEqual([]);
});

it('findings: every code is documented, and every documented code exists', () => {
  const sources = readdirSync(import.meta.dirname).filter((name) => /(?<!\.test)\.ts$/.test(name));
  const code = sources
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
    .join('\n')
    .matchAll(/'(?!EV_|EVIDENCE_)([A-Z]+(?:_[A-Z]+)+|PADDING)'/g);
  const docs = ['eventlog.md', 'ccel.md']
    .map((name) => readFileSync(join('docs/evidence', name), 'utf8'))
    .join('\n')
    .matchAll(/^\| ((?:[A-Z_]{5,}(?:, )?)+) \|/gm);
  const documented = [...docs].flatMap(([, codes = '']) => codes.split(', '));
  expect(new Set(documented)).toEqual(new Set([...code].map(([, name]) => name)));
});
