// UEFI_VARIABLE_DATA: the event data of everything that measures a UEFI variable (PC Client Platform
// Firmware Profile 1.06, 10.4.2.6). It reads; whether the bytes were measured is for coverage.ts.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GUID_BYTES, guidText } from './guid.ts';
import { utf16Text } from './text.ts';

/** A UEFI variable as it was measured. */
export interface UefiVariable {
  /** Vendor GUID, as text. */
  readonly guid: string;
  readonly name: string;
  readonly contents: Buffer;
}

/** Bytes that shim 15 leaves after the contents (rhboot/shim issue 184). */
const STRAY_BYTES = 6;

/** Reads a variable that fills `data`, but for a few stray bytes. Errors: EVIDENCE_MALFORMED. */
export function parseVariable(data: Bytes): UefiVariable {
  const cursor = new Cursor(data, 'UEFI variable');
  const guid = guidText(cursor.take(GUID_BYTES));
  const nameCharacters = lengthOf(cursor);
  const contentsBytes = lengthOf(cursor);
  const name = utf16Text(cursor.take(2 * nameCharacters));
  const contents = cursor.take(contentsBytes);
  if (cursor.remaining > STRAY_BYTES) cursor.end();
  return { guid, name, contents };
}

/** A UINT64 that counts something in memory. */
function lengthOf(cursor: Cursor): number {
  const length = cursor.u64le();
  if (length > BigInt(cursor.remaining)) cursor.fail(`a length of ${length}`);
  return Number(length);
}
