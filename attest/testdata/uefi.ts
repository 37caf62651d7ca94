// Makes the structures that UEFI firmware and boot loaders write into event logs, and the log of a boot
// like those of real machines, for what recorded logs cannot show. Nothing of the product imports it.
import { concat, fromHex, u16, u32, u64, utf8, type Bytes } from '#agent/base/bytes.ts';
import { GLOBAL_VARIABLE, SECURITY_DATABASE, SHIM_LOCK } from '#attest/eventlog/guid.ts';
import type { EventToWrite } from '#attest/eventlog/write.ts';
import {
  derOctets,
  derSequence,
  derSet,
  derContext,
  derInteger,
  derOid,
  derUtf8,
} from './derWrite.ts';

const u16le = (n: number): Buffer => u16(n).reverse();
/** 4 bytes, little-endian. */
export const u32le = (n: number): Buffer => u32(n).reverse();
/** 8 bytes, little-endian. */
export const u64le = (n: number): Buffer => u64(n).reverse();
/** UTF-16LE, without an end. */
export const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

/** An EFI_GUID from its text. */
export function guidBytes(text: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = text.split('-');
  const little = [a, b, c].map((part) => fromHex(part).reverse());
  return concat(...little, fromHex(rest.join('')));
}

/** UEFI_VARIABLE_DATA. */
export const uefiVariable = (guid: string, name: string, contents: Bytes): Buffer =>
  concat(guidBytes(guid), u64le(name.length), u64le(contents.length), utf16(name), contents);

/** Owner of every entry and identifier of every disk made here. */
export const OWNER = '77fa9abd-0359-4d32-bd60-28f4e78f784b';
/** Kind of a signature list of certificates. */
export const X509_LIST = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
/** Kind of a signature list of SHA-256 hashes. */
export const SHA256_LIST = 'c1c41626-504c-4092-aca9-41f936934328';

/** EFI_SIGNATURE_DATA. */
export const signatureData = (data: Bytes): Buffer => concat(guidBytes(OWNER), data);

/** An EFI_SIGNATURE_LIST of entries of one size. */
export function signatureList(kind: string, entries: readonly Bytes[]): Buffer {
  const data = entries.map(signatureData);
  const size = data[0]?.length ?? 16;
  return concat(guidBytes(kind), u32le(28 + size * data.length), u32le(0), u32le(size), ...data);
}

/** As much of a certificate as has a subject; no key and no signature. */
export const namedCertificate = (commonName: string): Buffer => {
  const name = derSequence(derSet(derSequence(derOid('2.5.4.3'), derUtf8(commonName))));
  const none = derSequence();
  const version = derContext(0, derInteger(2));
  const tbs = derSequence(version, derInteger(1), none, name, none, name, none);
  return derSequence(tbs, none, derOctets(new Uint8Array()));
};

/** EFI_DEVICE_PATH_PROTOCOL. */
export const pathNode = (type: number, subtype: number, data: Bytes): Buffer =>
  concat(Uint8Array.of(type, subtype), u16le(data.length + 4), data);

const END = pathNode(0x7f, 0xff, new Uint8Array());
const PCI_ROOT = pathNode(2, 1, concat(u32le(0x0a0341d0), u32le(0)));
const PCI_DEVICE = pathNode(1, 1, Uint8Array.of(3, 1));
const PARTITION = pathNode(
  4,
  1,
  concat(u32le(1), u64le(0x800), u64le(0x1000), guidBytes(OWNER), Uint8Array.of(2, 2)),
);

/** `PciRoot(0x0)/Pci(0x1,0x3)/HD(1,GPT,...)/` and the file. */
export const diskPath = (file: string): Buffer =>
  concat(PCI_ROOT, PCI_DEVICE, PARTITION, pathNode(4, 4, utf16(`${file}\0`)), END);

/** UEFI_IMAGE_LOAD_EVENT of an image of 4,096 bytes. */
export const imageLoad = (path: Bytes): Buffer =>
  concat(u64le(0x1000), u64le(4096), u64le(0), u64le(path.length), path);

/** EFI_LOAD_OPTION. */
export const loadOption = (description: string, path: Bytes): Buffer =>
  concat(u32le(1), u16le(path.length), utf16(`${description}\0`), path);

/** UEFI_GPT_DATA of one partition. */
export const partitionTable = (name: string): Buffer =>
  concat(
    utf8('EFI PART'),
    Buffer.alloc(48),
    guidBytes(OWNER),
    Buffer.alloc(12),
    u32le(128),
    u32le(0),
    u64le(1),
    guidBytes(GLOBAL_VARIABLE),
    guidBytes(SHIM_LOCK),
    Buffer.alloc(24),
    Buffer.concat([utf16(name), Buffer.alloc(72)], 72),
  );

/** An event of a variable; `measured` where its digest is not that of its data. */
export const variableEvent = (
  type: string,
  guid: string,
  name: string,
  contents: Bytes,
): EventToWrite => ({
  pcr: type === 'EV_EFI_VARIABLE_BOOT' ? 1 : 7,
  type,
  data: uefiVariable(guid, name, contents),
});

/** The SecureBoot variable with these contents. */
export const secureBoot = (...contents: number[]): EventToWrite =>
  variableEvent(
    'EV_EFI_VARIABLE_DRIVER_CONFIG',
    GLOBAL_VARIABLE,
    'SecureBoot',
    Uint8Array.from(contents),
  );

/** An event whose data is text, measured as it is. */
export const textEvent = (pcr: number, type: string, text: string): EventToWrite => ({
  pcr,
  type,
  data: utf8(text),
});

/** The separator of a register. */
export const separator = (pcr: number): EventToWrite => ({
  pcr,
  type: 'EV_SEPARATOR',
  data: Buffer.alloc(4),
});

const grub = (label: string, text: string): EventToWrite => ({
  ...textEvent(8, 'EV_IPL', `${label}: ${text}\0`),
  measured: utf8(text),
});

const described = (pcr: number, type: string, data: Bytes, image: string): EventToWrite => ({
  pcr,
  type,
  data,
  measured: utf8(image),
});

const db = concat(
  signatureList(X509_LIST, [namedCertificate('Test UEFI CA')]),
  signatureList(SHA256_LIST, [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]),
);

/** Kernel command line of UEFI_BOOT. */
export const COMMAND_LINE = '/vmlinuz root=/dev/sda2 ro quiet';

/** A boot with Secure Boot, shim, GRUB and Linux. */
export const UEFI_BOOT: readonly EventToWrite[] = [
  { ...textEvent(0, 'EV_S_CRTM_VERSION', ''), data: utf16('Test firmware 1.0\0') },
  secureBoot(1),
  variableEvent('EV_EFI_VARIABLE_DRIVER_CONFIG', GLOBAL_VARIABLE, 'PK', new Uint8Array()),
  variableEvent('EV_EFI_VARIABLE_DRIVER_CONFIG', SECURITY_DATABASE, 'db', db),
  separator(7),
  variableEvent('EV_EFI_VARIABLE_BOOT', GLOBAL_VARIABLE, 'BootOrder', Uint8Array.of(1, 0, 0xa, 0)),
  variableEvent(
    'EV_EFI_VARIABLE_BOOT',
    GLOBAL_VARIABLE,
    'Boot0001',
    loadOption('debian', diskPath('\\EFI\\debian\\shimx64.efi')),
  ),
  textEvent(4, 'EV_EFI_ACTION', 'Calling EFI Application from Boot Option'),
  ...[0, 1, 2, 3, 4, 5, 6].map(separator),
  variableEvent(
    'EV_EFI_VARIABLE_AUTHORITY',
    SECURITY_DATABASE,
    'db',
    signatureData(namedCertificate('Test UEFI CA')),
  ),
  { pcr: 5, type: 'EV_EFI_GPT_EVENT', data: partitionTable('EFI System') },
  described(
    4,
    'EV_EFI_BOOT_SERVICES_APPLICATION',
    imageLoad(diskPath('\\EFI\\debian\\shimx64.efi')),
    'shim',
  ),
  described(14, 'EV_IPL', utf8('MokList\0'), 'keys'),
  variableEvent('EV_EFI_VARIABLE_AUTHORITY', SHIM_LOCK, 'SbatLevel', utf8('sbat,1,2024\n')),
  described(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', imageLoad(new Uint8Array()), 'grub'),
  described(9, 'EV_IPL', utf8('(hd0,gpt1)/grub.cfg\0'), 'configuration'),
  grub('grub_cmd', `linux ${COMMAND_LINE}`),
  grub('kernel_cmdline', COMMAND_LINE),
  described(
    9,
    'EV_EVENT_TAG',
    concat(u32le(0x8f3b22ec), u32le(13), utf8('Linux initrd\0')),
    'initrd',
  ),
  textEvent(5, 'EV_EFI_ACTION', 'Exit Boot Services Invocation'),
  textEvent(5, 'EV_EFI_ACTION', 'Exit Boot Services Returned with Success'),
];
