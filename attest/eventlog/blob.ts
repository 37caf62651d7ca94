// What firmware says of the code and tables it measured (Firmware Profile 1.06, 10.2.2 and 10.2.6 to
// 10.2.8). Their digests are those of the code and tables, so all of this only describes.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GUID_BYTES, guidText } from './guid.ts';
import { utf8Text } from './text.ts';

const MAX_TABLES = 64;

/** Where firmware code lay in memory when it was measured. */
export interface FirmwareBlob {
  readonly description: string;
  readonly base: bigint;
  readonly sizeBytes: bigint;
}

/** UEFI_PLATFORM_FIRMWARE_BLOB; with `described`, the form of type BLOB2. Errors: EVIDENCE_MALFORMED. */
export function parseBlob(data: Bytes, described: boolean): FirmwareBlob {
  const cursor = new Cursor(data, 'firmware blob');
  const description = described ? utf8Text(cursor.take(cursor.u8())) : '';
  const blob = { description, base: cursor.u64le(), sizeBytes: cursor.u64le() };
  cursor.end();
  return blob;
}

/** Tables that firmware hands to the operating system. */
export interface HandoffTables {
  readonly description: string;
  /** GUIDs of the configuration tables. */
  readonly tables: readonly string[];
}

/** UEFI_HANDOFF_TABLE_POINTERS; with `described`, the form of type TABLES2. Errors: EVIDENCE_MALFORMED. */
export function parseHandoffTables(data: Bytes, described: boolean): HandoffTables {
  const cursor = new Cursor(data, 'handoff tables');
  const description = described ? utf8Text(cursor.take(cursor.u8())) : '';
  const count = cursor.u64le();
  if (count > MAX_TABLES) cursor.fail(`${count} tables`);
  const tables = Array.from({ length: Number(count) }, () => {
    const table = guidText(cursor.take(GUID_BYTES));
    cursor.u64le(); // address
    return table;
  });
  return { description, tables };
}
