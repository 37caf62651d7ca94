// Event types of TCG PC Client Platform Firmware Profile 1.06, 10.4.1, and which of them promise that
// the digest is that of the event data. Constants only.

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x0000_0000, 'EV_PREBOOT_CERT'],
  [0x0000_0001, 'EV_POST_CODE'],
  [0x0000_0003, 'EV_NO_ACTION'],
  [0x0000_0004, 'EV_SEPARATOR'],
  [0x0000_0005, 'EV_ACTION'],
  [0x0000_0006, 'EV_EVENT_TAG'],
  [0x0000_0007, 'EV_S_CRTM_CONTENTS'],
  [0x0000_0008, 'EV_S_CRTM_VERSION'],
  [0x0000_0009, 'EV_CPU_MICROCODE'],
  [0x0000_000a, 'EV_PLATFORM_CONFIG_FLAGS'],
  [0x0000_000b, 'EV_TABLE_OF_DEVICES'],
  [0x0000_000c, 'EV_COMPACT_HASH'],
  [0x0000_000d, 'EV_IPL'],
  [0x0000_000e, 'EV_IPL_PARTITION_DATA'],
  [0x0000_000f, 'EV_NONHOST_CODE'],
  [0x0000_0010, 'EV_NONHOST_CONFIG'],
  [0x0000_0011, 'EV_NONHOST_INFO'],
  [0x0000_0012, 'EV_OMIT_BOOT_DEVICE_EVENTS'],
  [0x0000_0013, 'EV_POST_CODE2'],
  [0x8000_0001, 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
  [0x8000_0002, 'EV_EFI_VARIABLE_BOOT'],
  [0x8000_0003, 'EV_EFI_BOOT_SERVICES_APPLICATION'],
  [0x8000_0004, 'EV_EFI_BOOT_SERVICES_DRIVER'],
  [0x8000_0005, 'EV_EFI_RUNTIME_SERVICES_DRIVER'],
  [0x8000_0006, 'EV_EFI_GPT_EVENT'],
  [0x8000_0007, 'EV_EFI_ACTION'],
  [0x8000_0008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB'],
  [0x8000_0009, 'EV_EFI_HANDOFF_TABLES'],
  [0x8000_000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2'],
  [0x8000_000b, 'EV_EFI_HANDOFF_TABLES2'],
  [0x8000_000c, 'EV_EFI_VARIABLE_BOOT2'],
  [0x8000_000d, 'EV_EFI_GPT_EVENT2'],
  [0x8000_0010, 'EV_EFI_HCRTM_EVENT'],
  [0x8000_00e0, 'EV_EFI_VARIABLE_AUTHORITY'],
  [0x8000_00e1, 'EV_EFI_SPDM_FIRMWARE_BLOB'],
  [0x8000_00e2, 'EV_EFI_SPDM_FIRMWARE_CONFIG'],
  [0x8000_00e3, 'EV_EFI_SPDM_DEVICE_POLICY'],
  [0x8000_00e4, 'EV_EFI_SPDM_DEVICE_AUTHORITY'],
]);

/** The one type that extends nothing. */
export const EV_NO_ACTION = 0x0000_0003;

const NUMBERS: ReadonlyMap<string, number> = new Map(
  Array.from(NAMES, ([number, name]) => [name, number]),
);

/** `EV_SEPARATOR`, or `0x12345678` for a type that the profile does not list. */
export const eventTypeName = (type: number): string =>
  NAMES.get(type) ?? `0x${type.toString(16).padStart(8, '0')}`;

/** True for a type that the profile lists. */
export const isListedType = (type: number): boolean => NAMES.has(type);

/** Inverse of eventTypeName for listed types. Errors: RangeError. */
export function eventTypeNumber(name: string): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new RangeError(`no event type ${name}`);
  return number;
}

/**
 * Types whose digest is that of the whole event data wherever firmware keeps to the profile (10.4.1,
 * table 14). For all others the data is a description, and nothing may be decided on it.
 */
const DIGEST_OF_DATA: ReadonlySet<string> = new Set([
  'EV_SEPARATOR',
  'EV_S_CRTM_VERSION',
  'EV_EFI_ACTION',
  'EV_EFI_GPT_EVENT',
  'EV_EFI_VARIABLE_DRIVER_CONFIG',
  'EV_EFI_VARIABLE_AUTHORITY',
]);

/** True for a type whose digest is that of the event data. */
export const promisesDigestOfData = (type: number): boolean =>
  DIGEST_OF_DATA.has(eventTypeName(type));
