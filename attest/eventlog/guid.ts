// EFI GUIDs as text, and those whose variables an event log speaks of. Constants and one function.
import type { Bytes } from '#agent/base/bytes.ts';
import { hex } from '#agent/base/bytes.ts';

/** Bytes of an EFI_GUID. */
export const GUID_BYTES = 16;

/** EFI_GLOBAL_VARIABLE (UEFI 2.10, 3.3): SecureBoot, PK, KEK, Boot####. */
export const GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** EFI_IMAGE_SECURITY_DATABASE_GUID (UEFI 2.10, 32.4.1): db, dbx, dbt, dbr. */
export const SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
/** Owner of shim's variables (rhboot/shim, lib/guid.c): MokList, MokListTrusted, SbatLevel, Shim. */
export const SHIM_LOCK = '605dab50-e046-4300-abb6-3dd810dd8b23';

/** `8be4df61-93ca-11d2-aa0d-00e098032b8c`: 16 bytes, the first three fields little-endian (UEFI 2.10, appendix A). */
export function guidText(guid: Bytes): string {
  const text = hex(guid);
  const little = (from: number, to: number): string =>
    (text.slice(from, to).match(/../g) ?? []).reverse().join('');
  return [little(0, 8), little(8, 12), little(12, 16), text.slice(16, 20), text.slice(20, 32)].join(
    '-',
  );
}
