// UEFI_GPT_DATA (Firmware Profile 1.06, 10.2.5): the partition table that firmware booted from.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GUID_BYTES, guidText } from './guid.ts';
import { utf16Text } from './text.ts';

/** EFI_PARTITION_TABLE_HEADER (UEFI 2.10, 5.3.2). */
const SIGNATURE = Buffer.from('EFI PART', 'latin1');
const MAX_PARTITIONS = 128;
/** Of an EFI_PARTITION_ENTRY, which may be longer. */
const ENTRY_BYTES = 128;
const NAME_BYTES = 72;

/** One partition; `type` and `guid` are GUIDs as text. */
export interface Partition {
  readonly type: string;
  readonly guid: string;
  readonly name: string;
}

/** A disk and its partitions. */
export interface PartitionTable {
  /** GUID of the disk. */
  readonly disk: string;
  readonly partitions: readonly Partition[];
}

/** Reads it. Errors: EVIDENCE_MALFORMED. */
export function parsePartitionTable(data: Bytes): PartitionTable {
  const cursor = new Cursor(data, 'GPT event');
  if (!cursor.take(SIGNATURE.length).equals(SIGNATURE)) cursor.fail('no GPT header');
  cursor.take(48); // revision, sizes, checksums and where on the disk things are
  const disk = guidText(cursor.take(GUID_BYTES));
  cursor.take(12); // first entry, number of entries on the disk
  const entryBytes = cursor.u32le();
  cursor.u32le(); // checksum of the entries
  const count = cursor.u64le();
  if (count > MAX_PARTITIONS) cursor.fail(`${count} partitions`);
  if (entryBytes < ENTRY_BYTES) cursor.fail(`partition entries of ${entryBytes} bytes`);
  const partitions = Array.from({ length: Number(count) }, () => {
    const entry = new Cursor(cursor.take(entryBytes), 'GPT entry');
    const type = guidText(entry.take(GUID_BYTES));
    const guid = guidText(entry.take(GUID_BYTES));
    entry.take(24); // first and last block, attributes
    return { type, guid, name: utf16Text(entry.take(NAME_BYTES)) };
  });
  return { disk, partitions };
}
