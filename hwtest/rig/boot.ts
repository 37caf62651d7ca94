// The measured boot of a rig's node: the events that firmware, boot loader and a unified kernel image
// would have logged and extended, so that log and PCRs of its swtpm agree. Shapes are those of the
// TCG PC Client Platform Firmware Profile 1.06 (PFP); contents are made up, the same for each node
// but for its serial number in PCR 1.
import { hash } from 'node:crypto';
import { utf8 } from '#agent/base/bytes.ts';
import { eventDigest, type EventToWrite } from '#attest/eventlog/write.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';

/** EFI_GLOBAL_VARIABLE and EFI_IMAGE_SECURITY_DATABASE_GUID in their little-endian form (UEFI 2.10). */
const GLOBAL = Buffer.from('61dfe48bca93d211aa0d00e098032b8c', 'hex');
const SECURITY = Buffer.from('cbb219d73a3d9645a3bcdad00e67656f', 'hex');

/** The events of one boot of `node`, in the order in which they were measured. */
export const bootEvents = (node: string): readonly EventToWrite[] => [
  { pcr: 0, type: 'EV_NO_ACTION', data: startupLocality(0) },
  covered(0, 'EV_S_CRTM_VERSION', utf16('Tidelock Rig 1.0')),
  image(0, 'EV_EFI_PLATFORM_FIRMWARE_BLOB', 'PEI', u64s(0x82_0000, 0xe_0000)),
  image(0, 'EV_EFI_PLATFORM_FIRMWARE_BLOB', 'DXE', u64s(0x90_0000, 0xe0_0000)),
  variable(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', GLOBAL, 'SecureBoot', Uint8Array.of(1)),
  variable(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', GLOBAL, 'PK', content('platform key', 900)),
  variable(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', GLOBAL, 'KEK', content('key exchange key', 1500)),
  variable(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', SECURITY, 'db', content('allowed', 3100)),
  variable(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', SECURITY, 'dbx', content('forbidden', 4000)),
  covered(7, 'EV_SEPARATOR', new Uint8Array(4)),
  image(1, 'EV_EFI_HANDOFF_TABLES', `SMBIOS of ${node}`, u64s(1)),
  variable(1, 'EV_EFI_VARIABLE_BOOT', GLOBAL, 'BootOrder', Uint8Array.of(1, 0, 0, 0)),
  variable(1, 'EV_EFI_VARIABLE_BOOT', GLOBAL, 'Boot0001', utf16('Tidelock Linux')),
  image(2, 'EV_EFI_BOOT_SERVICES_DRIVER', 'network card option ROM', loadEvent('nic.efi')),
  ...[0, 1, 2, 3, 4, 5, 6].map((pcr) => covered(pcr, 'EV_SEPARATOR', new Uint8Array(4))),
  variable(7, 'EV_EFI_VARIABLE_AUTHORITY', SECURITY, 'db', content('signer of the loader', 1500)),
  covered(4, 'EV_EFI_ACTION', utf8('Calling EFI Application from Boot Option')),
  image(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'systemd-boot', loadEvent('systemd-bootx64.efi')),
  covered(5, 'EV_EFI_GPT_EVENT', content('partition table', 600)),
  image(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'unified kernel image', loadEvent('linux.efi')),
  ...['.linux', '.osrel', '.cmdline', '.initrd', '.uname'].flatMap(ukiSection),
  covered(5, 'EV_EFI_ACTION', utf8('Exit Boot Services Invocation')),
  covered(5, 'EV_EFI_ACTION', utf8('Exit Boot Services Returned with Success')),
];

/** Arguments of tpm2_pcrextend that extend what the events measured, in order. */
export const extensionsOf = (
  events: readonly EventToWrite[],
  banks: readonly HashName[],
): string[] =>
  events
    .filter((event) => event.type !== 'EV_NO_ACTION') // extends nothing
    .map((event) => {
      const digests = banks.map((bank) => `${bank}=${eventDigest(event, bank).toString('hex')}`);
      return `${event.pcr}:${digests.join(',')}`;
    });

/** An event whose data is what was measured. */
const covered = (pcr: number, type: string, data: Uint8Array): EventToWrite => ({
  pcr,
  type,
  data,
});

/** An event that describes something measured elsewhere: its data is not covered by the digest. */
const image = (pcr: number, type: string, name: string, data: Uint8Array): EventToWrite => ({
  pcr,
  type,
  data,
  measured: content(name, 4096),
});

/** UEFI_VARIABLE_DATA (PFP 10.2.6). */
const variable = (
  pcr: number,
  type: string,
  vendor: Uint8Array,
  name: string,
  value: Uint8Array,
): EventToWrite =>
  covered(pcr, type, Buffer.concat([vendor, u64s(name.length, value.length), utf16(name), value]));

/** UEFI_IMAGE_LOAD_EVENT (PFP 10.2.3) with a file path node and an end node as device path. */
function loadEvent(file: string): Buffer {
  const name = utf16(`\\EFI\\Linux\\${file}\0`);
  const header = Buffer.from([0x04, 0x04, 0, 0]); // media device path, file path (UEFI 10.3.5.4)
  header.writeUInt16LE(4 + name.length, 2);
  const path = Buffer.concat([header, name, Buffer.from([0x7f, 0xff, 4, 0])]);
  return Buffer.concat([u64s(0x7e00_0000, 0x20_0000, 0, path.length), path]);
}

/** systemd-stub measures name and content of each section, both logged under the name (PCR 11). */
const ukiSection = (section: string): EventToWrite[] => [
  { pcr: 11, type: 'EV_IPL', data: utf16(`${section}\0`), measured: utf8(`${section}\0`) },
  { pcr: 11, type: 'EV_IPL', data: utf16(`${section}\0`), measured: content(section, 8192) },
];

/** TCG_EfiStartupLocalityEvent (PFP 10.4.5.3). */
const startupLocality = (locality: number): Buffer =>
  Buffer.concat([utf8('StartupLocality\0'), Uint8Array.of(locality)]);

/** Stands for a file's content: the same bytes for the same name. */
const content = (name: string, length: number): Buffer =>
  Buffer.alloc(length, hash('sha256', `tidelock rig: ${name}`, 'buffer'));

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

function u64s(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => out.writeBigUInt64LE(BigInt(value), 8 * i));
  return out;
}
