// Reads an IMA list of either form, entry by entry, in bounded memory. It states what is listed; only a
// quote over the register says whether the kernel wrote it.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { asciiEntry } from './ascii.ts';
import { binaryEntry, listedByOf } from './binary.ts';
import type { ImaEntry } from './entry.ts';

/** A node that measures every file has some 100,000 entries of 130 bytes. */
export const MAX_IMA_LIST_BYTES = 64 << 20;
const MAX_ENTRIES = 1_000_000;
/** A line holds a field of 1 MiB in hex. */
const MAX_LINE_BYTES = (2 << 20) + 4096;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export type ImaForm = 'ascii' | 'binary';

/** A PCR index as four bytes, little endian, has zeros where text has none. */
export const imaFormOf = (bytes: Bytes): ImaForm =>
  bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0 ? 'binary' : 'ascii';

/**
 * The entries of a list in either form, one at a time; `firstIndex` counts those before these bytes.
 * Errors: EVIDENCE_MALFORMED: empty, too long, truncated, an entry or field that is none.
 */
export function imaEntries(bytes: Bytes, firstIndex = 0): Generator<ImaEntry, void> {
  const list = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (list.length > MAX_IMA_LIST_BYTES) throw malformed('IMA list', `${list.length} bytes`);
  const form = imaFormOf(list);
  return form === 'binary' ? binaryEntries(list, firstIndex) : asciiEntries(list, firstIndex);
}

function* binaryEntries(list: Buffer, firstIndex: number): Generator<ImaEntry, void> {
  const listedBy = listedByOf(list);
  const cursor = new Cursor(list, 'IMA list');
  for (let index = firstIndex; cursor.remaining > 0; index += 1) {
    if (index >= MAX_ENTRIES) cursor.fail(`over ${MAX_ENTRIES} entries`);
    yield binaryEntry(cursor, index, listedBy);
  }
}

function* asciiEntries(list: Buffer, firstIndex: number): Generator<ImaEntry, void> {
  let index = firstIndex;
  const carriageReturns = firstLineEndsInCarriageReturn(list);
  for (let start = 0; start < list.length;) {
    const lineFeed = list.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? list.length : lineFeed;
    if (end - start > MAX_LINE_BYTES) throw malformed('IMA list', `a line of ${end - start} bytes`);
    const lineEnd = carriageReturns && list[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    const line = list.toString('latin1', start, lineEnd);
    start = end + 1;
    if (line === '') continue; // editors and copies leave empty lines at the end
    if (index >= MAX_ENTRIES) throw malformed('IMA list', `over ${MAX_ENTRIES} entries`);
    yield asciiEntry(line, index, Math.min(start, list.length));
    index += 1;
  }
  if (index === 0) throw malformed('IMA list', 'it is empty');
}

/** A copy by way of Windows; elsewhere a name may end so, though never that of boot_aggregate. */
const firstLineEndsInCarriageReturn = (list: Buffer): boolean =>
  list[list.indexOf(LINE_FEED) - 1] === CARRIAGE_RETURN;
