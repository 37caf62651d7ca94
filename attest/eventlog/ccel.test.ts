import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '#agent/base/bytes.ts';
import { isGood } from '#attest/finding.ts';
import { outcome } from '#attest/testdata/hostile.ts';
import { secureBoot, separator, textEvent, u32le, u64le } from '#attest/testdata/uefi.ts';
import { noVectors, logStated, truths, vector, type LogTruth } from '#attest/testdata/vectors.ts';
import { isGuestLog, replayRtmrs } from './ccel.ts';
import { ccelDocument } from './ccelDocument.ts';
import { parseCcelTable } from './ccelTable.ts';
import { eventDocuments, logDocument, readLog } from './document.ts';
import { parseEventLog } from './parse.ts';
import { RTMRS } from './registers.ts';
import { extend } from './replay.ts';
import { eventDigest, writeEventLog, type EventToWrite } from './write.ts';

const ZEROS = '00'.repeat(48);

const GUEST: readonly EventToWrite[] = [
  { ...secureBoot(1), pcr: 1 },
  separator(1),
  textEvent(2, 'EV_EFI_ACTION', 'Calling EFI Application from Boot Option'),
  separator(2),
  { ...textEvent(3, 'EV_IPL', 'kernel_cmdline: quiet\0'), measured: utf8('quiet') },
  textEvent(2, 'EV_EFI_ACTION', 'Exit Boot Services Invocation'),
];

function documentOf(
  events: readonly EventToWrite[],
  table?: Buffer,
  bank: 'sha384' | 'sha256' = 'sha384',
) {
  const log = writeEventLog(events, [bank]);
  return ccelDocument(readLog(log, RTMRS), log.length, table);
}

const codes = (events: readonly EventToWrite[]) =>
  documentOf(events).findings.map(({ code, severity }) => `${code} ${severity}`);

it('isGuestLog() tells a guest’s log from a TPM’s, which is said where it is read as one', () => {
  const written = (events: readonly EventToWrite[], ...banks: ('sha256' | 'sha384')[]) =>
    writeEventLog(events, banks);
  const guest = written(GUEST, 'sha384');
  expect(isGuestLog(parseEventLog(guest))).toBe(true);
  for (const log of [
    written([...GUEST, secureBoot(1)], 'sha384'), // into PCR 7
    written(GUEST, 'sha256', 'sha384'),
    written([], 'sha384'),
  ]) {
    expect(isGuestLog(parseEventLog(log))).toBe(false);
  }
  const of = (read: ReturnType<typeof readLog>) => logDocument(read).findings;
  expect(of(readLog(guest))).toContainEqual(
    expect.objectContaining({ code: 'GUEST_LOG', severity: 'warning' }),
  );
  expect(of(readLog(guest, RTMRS)).map(({ code }) => code)).not.toContain('GUEST_LOG');
});

it('replayRtmrs() gives register n + 1 of the log as RTMR n, and zeros for the untouched', () => {
  const { rtmrs, log } = replayRtmrs(writeEventLog(GUEST, ['sha384']));
  const chain = (register: number): string =>
    GUEST.filter(({ pcr }) => pcr === register)
      .reduce<Buffer>(
        (value, each) => extend('sha384', value, eventDigest(each, 'sha384')),
        Buffer.alloc(48),
      )
      .toString('hex');
  expect(rtmrs).toEqual({ rtmr0: chain(1), rtmr1: chain(2), rtmr2: chain(3), rtmr3: ZEROS });
  expect(log.events).toHaveLength(GUEST.length + 1);
});

it('ccelDocument() reads a guest’s boot by the registers that stand for PCRs', () => {
  expect(documentOf(GUEST)).toMatchObject({
    secureBoot: true,
    boot: { kernelCommandLine: 'quiet', exitBootServices: true },
    findings: [],
  });
});

it('ccelDocument() takes neither the log of a TPM nor one of another bank for a guest’s', () => {
  const fromTpm = [...GUEST, separator(7)];
  expect(codes(fromTpm)).toEqual(['REGISTER_UNKNOWN error']);
  const { findings, rtmrs } = documentOf(GUEST, undefined, 'sha256');
  expect(findings).toEqual([expect.objectContaining({ code: 'BANK_MISSING', severity: 'error' })]);
  expect(rtmrs.rtmr0).toBe(ZEROS);
});

it('ccelDocument() misses the bank of RTMRs where it is declared and nothing extends it', () => {
  const guest = GUEST.map((event) => ({ ...event, banks: ['sha256'] as const }));
  const log = writeEventLog(guest, ['sha256', 'sha384']);
  expect(ccelDocument(readLog(log, RTMRS), log.length).findings).toContainEqual(
    expect.objectContaining({ code: 'BANK_MISSING', severity: 'error' }),
  );
});

it('ccelDocument() believes no event that changes no RTMR', () => {
  const banks = ['sha256'] as const;
  const text = { ...textEvent(3, 'EV_IPL', 'kernel_cmdline: fake\0'), measured: utf8('fake') };
  const faked = [{ ...secureBoot(1), pcr: 1, banks }, separator(1), { ...text, banks }].map(
    (event) => ({ banks: ['sha384'] as const, ...event }),
  );
  const log = writeEventLog(faked, ['sha256', 'sha384']);
  expect(ccelDocument(readLog(log, RTMRS), log.length)).toMatchObject({
    secureBoot: null,
    boot: { kernelCommandLine: null, kernelCommandLines: [{ text: 'fake', measured: false }] },
  });
});

it('ccelDocument() notices an event for MRTD, which nothing can extend', () => {
  const event = textEvent(0, 'EV_EFI_ACTION', 'no');
  expect(codes([...GUEST, event])).toEqual(['MRTD_EXTENDED warning']);
  expect(codes([...GUEST, { ...event, type: 'EV_NO_ACTION', data: Buffer.alloc(16) }])).toEqual([]);
});

/** A CCEL table for a log of `logBytes`, its checksum made to hold. */
function tableFor(logBytes: number): Buffer {
  const kind = Uint8Array.of(2, 0, 0, 0);
  const body = [kind, u64le(logBytes), u64le(0x7f00_0000)];
  const table = concat(utf8('CCEL'), u32le(56), Buffer.alloc(28), ...body);
  table[9] = 256 - (table.reduce((sum, byte) => sum + byte, 0) % 256);
  return table;
}

it('parseCcelTable() reads kind, length and address, and checks the checksum', () => {
  expect(parseCcelTable(tableFor(65_536))).toEqual({
    kind: 'Intel TDX',
    subtype: 0,
    logBytes: 65_536,
    address: '0x7f000000',
    checksumHolds: true,
  });
});

it('parseCcelTable() notices a flip of any bit', () => {
  const table = tableFor(65_536);
  for (let bit = 0; bit < table.length * 8; bit += 1) {
    const copy = Buffer.from(table);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const read = outcome(parseCcelTable, copy);
    expect(read === 'malformed' || !read.checksumHolds).toBe(true);
  }
});

it('ccelDocument() compares the table with the log', () => {
  const { length } = writeEventLog(GUEST, ['sha384']);
  const found = (table: Buffer) => documentOf(GUEST, table).findings.map(({ code }) => code);
  expect(found(tableFor(length))).toEqual([]);
  expect(found(tableFor(length + 1))).toEqual(['TABLE_LENGTH']);
  expect(found(tableFor(length).fill(0xff, 9, 10))).toEqual(['TABLE_CHECKSUM']);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const all = truths<LogTruth>('ccel');

  it.each(all)('replayRtmrs() and ccelDocument() agree on %s', (path, truth) => {
    const bytes = vector(path);
    const read = ccelDocument(readLog(bytes, RTMRS), bytes.length);
    expect(read).toMatchObject({
      format: truth.format,
      algorithms: truth.algs,
      events: truth.events,
      trailingBytes: truth.trailing_bytes,
      rtmrs: logStated(path).rtmr ?? {},
    });
    expect(replayRtmrs(bytes).rtmrs).toEqual(read.rtmrs);
    const states: Readonly<Record<string, boolean>> = { '00': false, '01': true };
    expect(read.secureBoot).toBe(states[truth.secureboot_var ?? ''] ?? null);
    expect(isGood(read.findings)).toBe(true);
  });

  const parsed = all.filter(([path]) => path.includes('trustee'));

  it.each(parsed)('eventDocuments() agrees with Trustee’s own reading of %s', (path) => {
    const upstream = JSON.parse(vector(`${path}.expected.json`).toString()) as Upstream;
    const bytes = vector(path);
    const [, ...events] = parseEventLog(bytes).events;
    const [, ...documents] = eventDocuments(readLog(bytes, RTMRS));
    expect(documents).toHaveLength(upstream.uefi_event_logs.length);
    for (const [i, theirs] of upstream.uefi_event_logs.entries()) {
      const ours = documents[i];
      expect(ours).toMatchObject({ pcr: theirs.index, type: theirs.type_name });
      expect(events[i]?.data.toString('base64')).toBe(theirs.event);
      expect(ours?.digests.sha384).toBe(theirs.digests[0]?.digest);
      expect(ours?.dataCovered).toBe(theirs.digest_matches_event);
      const { unicode_name: name, device_paths: paths } = theirs.details;
      if (name !== undefined) expect(ours?.data).toMatchObject({ kind: 'variable', name });
      if (paths !== undefined && ours?.data.kind === 'image') {
        expect(lastOf(ours.data.path ?? '')).toBe(lastOf(paths.at(-1) ?? ''));
      }
    }
  });

  it('parseCcelTable() reads the table of a real guest, and it fits its log', () => {
    const path = 'ccel/cos-113-intel-tdx';
    const log = vector(`${path}.bin`);
    const table = vector(`${path}.table.bin`);
    const { findings } = ccelDocument(readLog(log, RTMRS), log.length, table);
    expect(parseCcelTable(table)).toMatchObject({ kind: 'Intel TDX', logBytes: log.length });
    expect(findings.map(({ code }) => code)).toEqual(['PADDING']);
  });
});

/** `\EFI\BOOT\BOOTX64.EFI`, which Trustee writes as `File(\EFI\BOOT\BOOTX64.EFI)`. */
const lastOf = (path: string): string =>
  path
    .replace(/^File\((.*)\)$/, '$1')
    .split('/')
    .at(-1) ?? '';

interface Upstream {
  readonly uefi_event_logs: readonly {
    readonly index: number;
    readonly type_name: string;
    readonly event: string;
    readonly digest_matches_event: boolean;
    readonly digests: readonly { readonly digest: string }[];
    readonly details: { readonly unicode_name?: string; readonly device_paths?: readonly string[] };
  }[];
}
