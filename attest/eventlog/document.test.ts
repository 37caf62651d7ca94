import { describe, expect, it } from 'vitest';
import { isGood } from '#attest/finding.ts';
import { concat, utf8 } from '#agent/base/bytes.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { COMMAND_LINE, UEFI_BOOT } from '#attest/testdata/uefi.ts';
import { noVectors, logStated, truths, vector, type LogTruth } from '#attest/testdata/vectors.ts';
import { eventDocuments, logDocument, readLog } from './document.ts';
import { writeEventLog } from './write.ts';

const BANKS = ['sha1', 'sha256'] as const;
const log = writeEventLog(UEFI_BOOT, BANKS);
const document = logDocument(readLog(log));

it('logDocument() has nothing to say against a boot that keeps to the profile', () => {
  expect(document).toMatchObject({
    format: 'crypto-agile',
    algorithms: BANKS,
    unknownAlgorithms: [],
    events: UEFI_BOOT.length + 1,
    trailingBytes: 0,
    startupLocality: null,
    secureBoot: true,
    findings: [],
  });
  expect(document.boot.kernelCommandLine).toBe(COMMAND_LINE);
});

it('logDocument() is JSON as it stands', () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  const events = eventDocuments(readLog(log));
  expect(JSON.parse(JSON.stringify(events))).toEqual(events);
});

it('eventDocuments() lists type, register, digests, decoded data and what covers it', () => {
  const events = eventDocuments(readLog(log));
  expect(events).toHaveLength(UEFI_BOOT.length + 1);
  expect(events[2]).toMatchObject({
    index: 2,
    pcr: 7,
    type: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
    data: { kind: 'variable', name: 'SecureBoot', value: { form: 'flag', value: 1 } },
    text: 'Secure Boot variable SecureBoot = 1',
    dataCovered: true,
    covered: 'whole',
  });
  expect(Object.keys(events[2]?.digests ?? {})).toEqual(BANKS);
  expect(events.find(({ type }) => type === 'EV_EFI_BOOT_SERVICES_APPLICATION')).toMatchObject({
    dataCovered: false,
    covered: 'none',
    text: 'boot loader \\EFI\\debian\\shimx64.efi',
  });
});

it('logDocument() tells padding from a log that was cut', () => {
  const codes = (tail: Uint8Array) =>
    logDocument(readLog(concat(log, tail))).findings.map(({ code }) => code);
  expect(codes(Buffer.alloc(100, 0xff))).toEqual(['PADDING']);
  expect(codes(utf8('cut'))).toEqual(['TRAILING_BYTES']);
});

it('logDocument() says that a bank is declared and never extended (trap 4: CVE-2021-42299)', () => {
  const statements = BOOT.slice(0, 1).map((event) => ({ ...event, type: 'EV_NO_ACTION' }));
  const { pcrs, findings } = logDocument(readLog(writeEventLog(statements, ['sha256'])));
  expect(pcrs).toEqual({ sha256: {} });
  expect(findings).toContainEqual(
    expect.objectContaining({ code: 'BANK_NOT_EXTENDED', severity: 'warning' }),
  );
});

it('logDocument() caps what it says of a thousand like events', () => {
  const edited = Array.from({ length: 1000 }, (_, i) => ({
    pcr: 7,
    type: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
    data: utf8(`db ${i}`),
    measured: utf8('something else'),
  }));
  const { findings } = logDocument(readLog(writeEventLog(edited, ['sha256'])));
  const uncovered = findings.filter(({ code }) => code === 'DATA_NOT_COVERED');
  expect(uncovered).toHaveLength(32);
  expect(uncovered.at(-1)?.text).toContain('And 968 more like it.');
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const all = truths<LogTruth>('eventlog').filter(([, { error }]) => error === undefined);

  it.each(all)('logDocument() says of %s what its origin says', (path, truth, negative) => {
    const read = logDocument(readLog(vector(path)));
    expect(read).toMatchObject({
      format: truth.format,
      algorithms: truth.algs,
      events: truth.events,
      pcrs: truth.pcrs,
      trailingBytes: truth.trailing_bytes,
      startupLocality: truth.startup_locality,
    });
    const state = new Map([
      ['00', false],
      ['01', true],
    ]);
    const said = negative ? undefined : truth.secureboot_var;
    expect(read.secureBoot).toBe(state.get(said ?? '') ?? null);
    expect(isGood(read.findings)).toBe(!negative);
  });

  it.each(all)('logDocument() names each event of %s whose data is not covered', (path, truth) => {
    const { findings } = logDocument(readLog(vector(path)));
    const named = findings.flatMap(({ code, event }) =>
      code === 'DATA_NOT_COVERED' ? [event] : [],
    );
    expect(new Set(named)).toEqual(new Set(truth.digest_ne_hash_of_data.map(([event]) => event)));
  });

  it.each(all)('logDocument() finds the boot loaders and command line of %s', (path) => {
    const { boot } = logDocument(readLog(vector(path)));
    const stated = logStated(path);
    for (const [bank, digests] of Object.entries(stated.efi_app_digests ?? {})) {
      const found = boot.efiApplications.map((application) => application.digests[bank as 'sha1']);
      expect(found).toEqual(digests);
    }
    if (stated.kernel_cmdline === undefined) return;
    const unescaped = stated.kernel_cmdline.replaceAll('\\"', '"').replace(/\\x00$/, '');
    expect(boot.kernelCommandLine).toBe(unescaped);
  });

  it('logDocument() takes no boot loader of Debian 10 for proven: nothing ends its boot', () => {
    const { boot, findings } = logDocument(readLog(vector('eventlog/gotpm/debian-10.bin')));
    expect(boot.efiApplications).toHaveLength(3);
    expect(boot.efiApplications.some(({ measured }) => measured)).toBe(false);
    expect(findings.map(({ code }) => code)).toContain('EXIT_BOOT_SERVICES_MISSING');
  });

  it('logDocument() fails the log whose SecureBoot was edited, though its replay still matches', () => {
    const path = 'eventlog/derived/data_tampered_secureboot.bin';
    const { secureBoot, findings } = logDocument(readLog(vector(path)));
    expect(secureBoot).toBeNull();
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'DATA_NOT_COVERED', severity: 'error', event: 3, pcr: 7 }),
    );
  });
});
