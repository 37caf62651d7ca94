// The ACPI table CCEL, which says where firmware left the log of a confidential guest and how much
// memory it set aside (ACPI 6.5, 5.2.34). A host can forge it; it only helps to notice a cut log.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';

const SIGNATURE = 'CCEL';
const TABLE_BYTES = 56;
/** Kinds of confidential computing (UEFI 2.10, 38.2.2). */
const KINDS = ['none', 'AMD SEV', 'Intel TDX'];

/** What the table says of the log. */
export interface CcelTable {
  /** `Intel TDX`, or `kind 9` for one that is not listed. */
  readonly kind: string;
  readonly subtype: number;
  /** Bytes set aside for the log (LAML). */
  readonly logBytes: number;
  /** Guest-physical address of the log (LASA), hex. */
  readonly address: string;
  /** Whether the bytes of the table add up to 0. */
  readonly checksumHolds: boolean;
}

/** Reads the table. Errors: EVIDENCE_MALFORMED. */
export function parseCcelTable(bytes: Bytes): CcelTable {
  const cursor = new Cursor(bytes, 'CCEL table');
  const signature = cursor.take(SIGNATURE.length).toString('latin1');
  if (signature !== SIGNATURE) cursor.fail('it does not begin with CCEL');
  const length = cursor.u32le();
  if (length !== TABLE_BYTES || bytes.length !== TABLE_BYTES) {
    cursor.fail(`it says ${length} bytes and has ${bytes.length}, not ${TABLE_BYTES}`);
  }
  cursor.take(28); // revision, checksum, who made it
  const kind = cursor.u8();
  const subtype = cursor.u8();
  cursor.take(2); // reserved
  const logBytes = cursor.u64le();
  if (logBytes > Number.MAX_SAFE_INTEGER) cursor.fail(`a log of ${logBytes} bytes`);
  return {
    kind: KINDS[kind] ?? `kind ${kind}`,
    subtype,
    logBytes: Number(logBytes),
    address: `0x${cursor.u64le().toString(16)}`,
    checksumHolds: bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0) === 0,
  };
}
