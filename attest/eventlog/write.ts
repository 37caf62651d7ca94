// Writer of crypto-agile event logs, for rigs and tests that need a log and a TPM that agree.
import { hash } from 'node:crypto';
import { concat, utf8, type Bytes } from '#agent/base/bytes.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { EV_NO_ACTION, eventTypeNumber } from './types.ts';

/** One event to write. */
export interface EventToWrite {
  readonly pcr: number;
  /** A name of types.ts: `EV_SEPARATOR`. */
  readonly type: string;
  readonly data: Bytes;
  /** What is hashed where the type does not hash its data (an image, a table); `data` otherwise. */
  readonly measured?: Bytes;
  /** Banks that it has a digest of, where these are not all of the log's. */
  readonly banks?: readonly HashName[];
}

/** A whole log with its Spec ID header. Errors: RangeError for an unknown type name. */
export function writeEventLog(events: readonly EventToWrite[], banks: readonly HashName[]): Buffer {
  return concat(header(banks), ...events.map((event) => eventBytes(event, banks)));
}

/** The digest that the event extends into its PCR; all zero for EV_NO_ACTION, which extends nothing. */
export function eventDigest({ type, data, measured }: EventToWrite, bank: HashName): Buffer {
  if (eventTypeNumber(type) === EV_NO_ACTION) return Buffer.alloc(hashByName(bank).sizeBytes);
  return hash(bank, measured ?? data, 'buffer');
}

/** TCG_EfiSpecIDEvent in a legacy event of PCR 0 (Firmware Profile 1.06, 10.4.5.1). */
function header(banks: readonly HashName[]): Buffer {
  const versions = Uint8Array.of(0, 2, 0, 2); // minor, major, errata, UINTN of 64 bits
  const algorithms = banks.map((bank) => {
    const { id, sizeBytes } = hashByName(bank);
    return concat(u16le(id), u16le(sizeBytes));
  });
  const data = concat(
    utf8('Spec ID Event03\0'),
    u32le(0),
    versions,
    u32le(banks.length),
    ...algorithms,
    Uint8Array.of(0),
  );
  return concat(u32le(0), u32le(EV_NO_ACTION), Buffer.alloc(20), u32le(data.length), data);
}

/** TCG_PCR_EVENT2 (10.2.2). */
function eventBytes(event: EventToWrite, banks: readonly HashName[]): Buffer {
  const own = event.banks ?? banks;
  const digests = own.map((bank) => concat(u16le(hashByName(bank).id), eventDigest(event, bank)));
  return concat(
    u32le(event.pcr),
    u32le(eventTypeNumber(event.type)),
    u32le(own.length),
    ...digests,
    u32le(event.data.length),
    event.data,
  );
}

function u16le(n: number): Buffer {
  const b = Buffer.allocUnsafe(2);
  b.writeUInt16LE(n);
  return b;
}

function u32le(n: number): Buffer {
  const b = Buffer.allocUnsafe(4);
  b.writeUInt32LE(n);
  return b;
}
