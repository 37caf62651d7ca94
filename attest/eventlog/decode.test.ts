import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, utf8, type Bytes } from '#agent/base/bytes.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import {
  diskPath,
  guidBytes,
  imageLoad,
  loadOption,
  namedCertificate,
  OWNER,
  partitionTable,
  pathNode,
  SHA256_LIST,
  signatureData,
  signatureList,
  u32le,
  u64le,
  UEFI_BOOT,
  uefiVariable,
  utf16,
  X509_LIST,
} from '#attest/testdata/uefi.ts';
import { parseBlob, parseHandoffTables } from './blob.ts';
import { parseCcelTable } from './ccelTable.ts';
import { readEvent } from './decode.ts';
import { parseDevicePath } from './devicePath.ts';
import { eventDocuments, logDocument, readLog } from './document.ts';
import { parsePartitionTable } from './gpt.ts';
import { GLOBAL_VARIABLE, guidText, SECURITY_DATABASE, SHIM_LOCK } from './guid.ts';
import { parseImageLoad } from './imageLoad.ts';
import { parseLoadOption } from './loadOption.ts';
import { parseStatement } from './noAction.ts';
import { nonHostInfo } from './nonHost.ts';
import { parseSignatureData, parseSignatureLists } from './signatureList.ts';
import { subjectName } from './subject.ts';
import { parseTagged } from './tagged.ts';
import { eventTypeNumber } from './types.ts';
import { parseVariable } from './variable.ts';
import { writeEventLog } from './write.ts';

const decoded = (type: string, data: Bytes, pcr = 0) =>
  readEvent({
    index: 1,
    pcr,
    type: eventTypeNumber(type),
    digests: new Map(),
    complete: true,
    data: Buffer.from(data),
  }).decoded;

const DISK = diskPath('\\EFI\\BOOT\\BOOTX64.EFI');
const DISK_TEXT =
  'PciRoot(0x0)/Pci(0x1,0x3)/HD(1,GPT,77FA9ABD-0359-4D32-BD60-28F4E78F784B,0x800,0x1000)/\\EFI\\BOOT\\BOOTX64.EFI';
const CERTIFICATE = namedCertificate('Test CA');
const SPEC_ID = writeEventLog([], ['sha256']).subarray(32);
const TABLE = concat(
  utf8('CCEL'),
  u32le(56),
  Buffer.alloc(28),
  Uint8Array.of(2, 0, 0, 0),
  u64le(65_536),
  u64le(0x7f00_0000),
);

it('guidText() and guidBytes() are inverse', () => {
  expect(guidText(guidBytes(GLOBAL_VARIABLE))).toBe(GLOBAL_VARIABLE);
});

it.each<[type: string, data: Bytes, expected: object]>([
  ['EV_NO_ACTION', SPEC_ID, { kind: 'specId', version: '2.0', errata: 0, vendorBytes: 0 }],
  [
    'EV_NO_ACTION',
    concat(utf8('StartupLocality\0'), Uint8Array.of(3)),
    { kind: 'startupLocality', locality: 3 },
  ],
  ['EV_NO_ACTION', utf8('SP800-155 Event\0..'), { kind: 'statement', name: 'SP800-155 Event' }],
  ['EV_SEPARATOR', Buffer.alloc(4), { kind: 'separator', value: '00000000' }],
  ['EV_EFI_GPT_EVENT', partitionTable('root'), { kind: 'partitions', disk: OWNER }],
  [
    'EV_EFI_BOOT_SERVICES_APPLICATION',
    imageLoad(DISK),
    { kind: 'image', sizeBytes: '4096', path: DISK_TEXT, file: '\\EFI\\BOOT\\BOOTX64.EFI' },
  ],
  [
    'EV_EFI_BOOT_SERVICES_APPLICATION',
    concat(imageLoad(new Uint8Array()), Buffer.alloc(9)),
    { kind: 'image', path: null, file: null },
  ],
  [
    'EV_EFI_PLATFORM_FIRMWARE_BLOB',
    concat(u64le(0x90_0000), u64le(4096)),
    { kind: 'firmware', base: '0x900000', sizeBytes: '4096' },
  ],
  [
    'EV_EFI_PLATFORM_FIRMWARE_BLOB2',
    concat(Uint8Array.of(3), utf8('Fv1'), u64le(16), u64le(32)),
    { kind: 'firmware', description: 'Fv1', base: '0x10' },
  ],
  [
    'EV_EFI_HANDOFF_TABLES2',
    concat(Uint8Array.of(3), utf8('Tdx'), u64le(1), guidBytes(OWNER), u64le(0)),
    { kind: 'tables', description: 'Tdx', tables: [OWNER] },
  ],
  [
    'EV_EVENT_TAG',
    concat(u32le(0x8f3b22ec), u32le(6), utf8('initrd')),
    { kind: 'tag', name: 'Linux initrd', text: 'initrd' },
  ],
  ['EV_IPL', utf8('grub_cmd: boot\0'), { kind: 'command', label: 'grub_cmd', text: 'boot' }],
  [
    'EV_IPL',
    utf8('grub_kernel_cmdline quiet\0'),
    { kind: 'command', label: 'kernel_cmdline', text: 'quiet' },
  ],
  ['EV_IPL', utf16('console=tty0\0'), { kind: 'text', text: 'console=tty0' }],
  ['EV_EFI_ACTION', utf8('Exit'), { kind: 'text', text: 'Exit' }],
  ['EV_POST_CODE', utf8('ACPI DATA'), { kind: 'text', text: 'ACPI DATA' }],
  ['EV_S_CRTM_VERSION', utf16('v1.0\0\0'), { kind: 'text', text: 'v1.0' }],
  ['EV_S_CRTM_VERSION', guidBytes(OWNER), { kind: 'guid', guid: OWNER }],
  [
    'EV_NONHOST_INFO',
    concat(utf8('GCE NonHostInfo\0'), Uint8Array.of(4), Buffer.alloc(15)),
    { kind: 'text', text: 'GCE NonHostInfo: AMD SEV-SNP' },
  ],
  [
    'EV_PLATFORM_CONFIG_FLAGS',
    concat(utf8('td_payload_info\0'), u32le(16), utf8('root=/dev/vda1\0\0')),
    { kind: 'command', label: 'td_payload_info', text: 'root=/dev/vda1' },
  ],
  ['EV_CPU_MICROCODE', Uint8Array.of(1, 2, 3), { kind: 'bytes', sizeBytes: 3, hex: '010203' }],
  ['EV_EFI_VARIABLE_BOOT', utf8('short'), { kind: 'unreadable', sizeBytes: 5 }],
])('readEvent() reads %s', (type, data, expected) => {
  expect(decoded(type, data)).toMatchObject(expected);
});

const variable = (guid: string, name: string, contents: Bytes, authority = false) =>
  decoded(
    authority ? 'EV_EFI_VARIABLE_AUTHORITY' : 'EV_EFI_VARIABLE_DRIVER_CONFIG',
    uefiVariable(guid, name, contents),
  );

const certificate = { owner: OWNER, subject: 'Test CA' };
const lists = concat(
  signatureList(X509_LIST, [CERTIFICATE]),
  signatureList(SHA256_LIST, [Buffer.alloc(32), Buffer.alloc(32, 1)]),
);

it.each([
  ['SecureBoot', GLOBAL_VARIABLE, Uint8Array.of(1), { form: 'flag', value: 1 }],
  ['PK', GLOBAL_VARIABLE, new Uint8Array(), { form: 'empty' }],
  [
    'db',
    SECURITY_DATABASE,
    lists,
    { form: 'signatures', certificates: [certificate], counts: { x509: 1, sha256: 2 } },
  ],
  ['MokListRT', SHIM_LOCK, lists, { form: 'signatures', counts: { x509: 1, sha256: 2 } }],
  ['db', SECURITY_DATABASE, lists.subarray(0, -1), { form: 'bytes', sizeBytes: lists.length - 1 }],
  ['BootOrder', GLOBAL_VARIABLE, Uint8Array.of(0x0b, 0, 1, 0), { order: ['Boot000B', 'Boot0001'] }],
  [
    'Boot0001',
    GLOBAL_VARIABLE,
    loadOption('debian', DISK),
    { form: 'bootOption', active: true, description: 'debian', path: DISK_TEXT },
  ],
  ['SbatLevel', SHIM_LOCK, utf8('sbat,1\n'), { form: 'text', text: 'sbat,1\\x0a' }],
  ['Unknown', OWNER, Uint8Array.of(1, 2), { form: 'bytes', sizeBytes: 2, hex: '0102' }],
])('readEvent() reads the variable %s', (name, guid, contents, value) => {
  expect(variable(guid, name, contents)).toMatchObject({ kind: 'variable', guid, name, value });
});

it('readEvent() reads who authorised an image: a database entry, or shim’s bare certificate', () => {
  expect(variable(SECURITY_DATABASE, 'db', signatureData(CERTIFICATE), true)).toMatchObject({
    value: { form: 'certificate', certificate },
  });
  expect(variable(SHIM_LOCK, 'Shim', CERTIFICATE, true)).toMatchObject({
    value: { form: 'certificate', certificate: { owner: '', subject: 'Test CA' } },
  });
});

it('readEvent() leaves no control character, and nothing that reorders text', () => {
  const nasty = 'quiet\u001b[2J\u202e\u2028\0';
  const read = decoded('EV_IPL', utf8(`kernel_cmdline: ${nasty}`));
  expect(read).toMatchObject({ text: 'quiet\\x1b[2J\\u{202e}\\u{2028}' });
  const named = variable(OWNER, 'a\u001b\u202eb', new Uint8Array());
  expect(named).toMatchObject({ name: 'a\\x1b\\u{202e}b' });
});

it('parseDevicePath() writes nodes as UEFI does, and unknown ones by number', () => {
  const end = pathNode(0x7f, 0xff, new Uint8Array());
  const text = (...nodes: Buffer[]) => parseDevicePath(concat(...nodes, end)).text;
  expect(text(pathNode(3, 0x12, Buffer.alloc(6)))).toBe('Sata(0x0,0x0,0x0)');
  expect(text(pathNode(3, 0x0b, concat(fromMac, Buffer.alloc(26), Uint8Array.of(1))))).toBe(
    'MAC(0cc47aff601c,0x1)',
  );
  expect(text(pathNode(4, 3, guidBytes(OWNER)), pathNode(4, 4, utf16('kernel\0')))).toBe(
    `VenMedia(${OWNER.toUpperCase()},)/kernel`,
  );
  expect(text(pathNode(9, 7, Uint8Array.of(0xab)))).toBe('Path(9,7,ab)');
});

const fromMac = Buffer.from('0cc47aff601c', 'hex');

it('parseDevicePath() refuses a path without end, of a thousand nodes and of nodes too short', () => {
  const node = pathNode(1, 1, Uint8Array.of(0, 0));
  const many = Buffer.concat(Array.from({ length: 1000 }, () => node));
  expect(() => parseDevicePath(many)).toThrow('more than 64 nodes');
  expect(() => parseDevicePath(Uint8Array.of(1, 1, 3, 0))).toThrow('a node of 3 bytes');
});

it('parseSignatureLists() refuses sizes that do not add up', () => {
  const list = signatureList(SHA256_LIST, [Buffer.alloc(32)]);
  const withField = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(list);
    copy.writeUInt32LE(value, offset);
    return copy;
  };
  expect(() => parseSignatureLists(withField(16, 27))).toThrow('a list of 27 bytes');
  expect(() => parseSignatureLists(withField(16, 0xffff_ffff))).toThrow('bytes wanted');
  expect(() => parseSignatureLists(withField(20, 0xffff_ffff))).toThrow('a list of 76 bytes');
  expect(() => parseSignatureLists(withField(24, 0))).toThrow('entries of 0 bytes');
  expect(() => parseSignatureLists(withField(24, 47))).toThrow('entries of 47 bytes');
});

describe('on any bytes', () => {
  it.each<[name: string, parse: (bytes: Uint8Array) => unknown, sample: Bytes]>([
    ['parseVariable', parseVariable, uefiVariable(GLOBAL_VARIABLE, 'PK', lists)],
    ['parseSignatureLists', parseSignatureLists, lists],
    ['parseSignatureData', parseSignatureData, signatureData(CERTIFICATE)],
    ['subjectName', subjectName, CERTIFICATE],
    ['parseDevicePath', parseDevicePath, DISK],
    ['parseImageLoad', parseImageLoad, imageLoad(DISK)],
    ['parseLoadOption', parseLoadOption, loadOption('debian', DISK)],
    ['parsePartitionTable', parsePartitionTable, partitionTable('root')],
    ['parseTagged', parseTagged, concat(u32le(1), u32le(4), utf8('text'))],
    ['parseStatement', parseStatement, SPEC_ID],
    [
      'parseBlob',
      (b) => parseBlob(b, true),
      concat(Uint8Array.of(1), utf8('F'), u64le(1), u64le(2)),
    ],
    [
      'parseHandoffTables',
      (b) => parseHandoffTables(b, false),
      concat(u64le(1), guidBytes(OWNER), u64le(0)),
    ],
    ['nonHostInfo', (b) => nonHostInfo(Buffer.from(b)), utf8('GCE NonHostInfo\0\u0001')],
    ['parseCcelTable', parseCcelTable, TABLE],
  ])('%s() reads it or ends in EVIDENCE_MALFORMED', (_, parse, sample) => {
    expect(outcome(parse, sample)).not.toBe('malformed');
    fc.assert(fc.property(hostile(sample), (bytes) => void outcome(parse, bytes)));
  });

  it('readLog() and its documents read it or end in EVIDENCE_MALFORMED', () => {
    const everything = (bytes: Uint8Array): unknown => {
      const read = readLog(bytes);
      return [logDocument(read), eventDocuments(read)];
    };
    const log = writeEventLog(UEFI_BOOT, ['sha1', 'sha256']);
    fc.assert(fc.property(hostile(log), (bytes) => void outcome(everything, bytes)));
  });

  it('readEvent() never throws on event data, whatever the type', () => {
    const type = fc.constantFrom(
      ...UEFI_BOOT.map((event) => event.type),
      'EV_NO_ACTION',
      'EV_EFI_HANDOFF_TABLES2',
      'EV_EFI_PLATFORM_FIRMWARE_BLOB2',
      'EV_PLATFORM_CONFIG_FLAGS',
    );
    const data = fc.constantFrom(...UEFI_BOOT).chain((event) => hostile(event.data));
    fc.assert(fc.property(type, data, (name, bytes) => void decoded(name, bytes)));
  });
});
