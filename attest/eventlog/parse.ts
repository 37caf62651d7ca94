// Parser of TCG firmware event logs, crypto-agile and legacy (PC Client Platform Firmware Profile
// 1.06, 10). It states what is written and where; nothing in it is true until a replay meets a quote,
// and an event's type and description not even then (ATTESTATION traps 1 and 3).
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { algText, hashById, hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { EV_NO_ACTION } from './types.ts';

/** No firmware writes this many; real logs have a few hundred. */
const MAX_EVENTS = 16_384;
const MAX_ALGORITHMS = 16;
/** PCRs a PC TPM has (PTP 4.6.1). */
const PCR_COUNT = 24;

/** One event, as written. */
export interface LogEvent {
  /** Position in the log, the header being 0. */
  readonly index: number;
  readonly pcr: number;
  /** As written; never covered by a digest. */
  readonly type: number;
  /** Digest by bank; banks that Tidelock knows. */
  readonly digests: ReadonlyMap<HashName, Buffer>;
  /** Whether it has one in every bank that the log extends: one that has not is nobody's word there. */
  readonly complete: boolean;
  readonly data: Buffer;
}

type WrittenEvent = Omit<LogEvent, 'complete'>;

/** A log, as written. */
export interface EventLog {
  readonly format: 'crypto-agile' | 'legacy';
  /** Banks that the log speaks for and Tidelock knows, in the order of its header. */
  readonly banks: readonly HashName[];
  /** TPM_ALG_ID of the banks that Tidelock does not know: they are skipped. */
  readonly unknownAlgorithms: readonly number[];
  readonly events: readonly LogEvent[];
  /** Bytes after the last event: padding of 00 or ff, or too few for an event. */
  readonly trailingBytes: number;
  /** True when these are all 00 or all ff. */
  readonly padded: boolean;
  /** Locality that started PCR 0, when the log states it. */
  readonly startupLocality: number | undefined;
}

/**
 * Reads a log of either format.
 * Errors: EVIDENCE_MALFORMED: empty, truncated, sizes beyond the end, a PCR or algorithm out of range.
 */
export function parseEventLog(bytes: Bytes): EventLog {
  const cursor = new Cursor(bytes, 'event log');
  if (cursor.remaining === 0) cursor.fail('it is empty');
  const first = legacyEvent(cursor, 0);
  const algorithms = specIdOf(first);
  const crypto = algorithms !== undefined;
  const events = [first];
  const next = crypto ? (i: number) => agileEvent(cursor, i, algorithms) : legacyAt(cursor);
  const smallest = crypto ? SMALLEST_AGILE_BYTES : SMALLEST_LEGACY_BYTES;
  const padding = paddingBytes(bytes);
  while (cursor.remaining >= smallest && cursor.remaining > padding) {
    if (events.length === MAX_EVENTS) cursor.fail(`more than ${MAX_EVENTS} events`);
    events.push(next(events.length));
  }
  return {
    format: crypto ? 'crypto-agile' : 'legacy',
    banks: crypto ? algorithms.flatMap(({ id }) => hashById(id)?.name ?? []) : ['sha1'],
    unknownAlgorithms: (algorithms ?? []).map(({ id }) => id).filter((id) => !hashById(id)),
    events: withCompleteness(events),
    trailingBytes: cursor.remaining,
    padded: cursor.remaining > 0 && cursor.remaining <= padding,
    startupLocality: localityOf(events),
  };
}

/** Banks that the header declares and nothing extends are not asked for: firmware knows more than the TPM. */
function withCompleteness(events: readonly WrittenEvent[]): LogEvent[] {
  const measured = events.filter(({ type }) => type !== EV_NO_ACTION);
  const extended = new Set(measured.flatMap(({ digests }) => [...digests.keys()]));
  return events.map((event) => ({
    ...event,
    complete: [...extended].every((bank) => event.digests.has(bank)),
  }));
}

interface DeclaredAlgorithm {
  readonly id: number;
  readonly sizeBytes: number;
}

const legacyAt =
  (cursor: Cursor) =>
  (index: number): WrittenEvent =>
    legacyEvent(cursor, index);

/** TCG_PCClientPCREvent (10.2.1). */
function legacyEvent(cursor: Cursor, index: number): WrittenEvent {
  const pcr = cursor.u32le();
  const type = cursor.u32le();
  checkPcr(cursor, index, pcr, type);
  const digest = cursor.take(hashByName('sha1').sizeBytes);
  return { index, pcr, type, digests: new Map([['sha1', digest]]), data: dataOf(cursor, index) };
}

/** TCG_PCR_EVENT2 (10.2.2). Real logs leave banks out of an event; it then says nothing of those. */
function agileEvent(
  cursor: Cursor,
  index: number,
  algorithms: readonly DeclaredAlgorithm[],
): WrittenEvent {
  const pcr = cursor.u32le();
  const type = cursor.u32le();
  checkPcr(cursor, index, pcr, type);
  const count = cursor.u32le();
  if (count > algorithms.length) {
    cursor.fail(`event ${index} has ${count} digests, the header declares ${algorithms.length}`);
  }
  const digests = new Map<HashName, Buffer>();
  const seen = new Set<number>();
  for (let i = 0; i < count; i += 1) {
    const id = cursor.u16le();
    const declared = algorithms.find((algorithm) => algorithm.id === id);
    if (declared === undefined || seen.has(id)) {
      cursor.fail(`event ${index} has a digest of algorithm ${algText(id)}, undeclared or twice`);
    }
    seen.add(id);
    const digest = cursor.take(declared.sizeBytes);
    const known = hashById(id);
    if (known) digests.set(known.name, digest);
  }
  return { index, pcr, type, digests, data: dataOf(cursor, index) };
}

/** EV_NO_ACTION extends nothing, and some firmware gives it PCR ffffffff. */
function checkPcr(cursor: Cursor, index: number, pcr: number, type: number): void {
  if (pcr >= PCR_COUNT && type !== EV_NO_ACTION) cursor.fail(`event ${index} is for PCR ${pcr}`);
}

function dataOf(cursor: Cursor, index: number): Buffer {
  const size = cursor.u32le();
  if (size > cursor.remaining) {
    cursor.fail(`event ${index} claims ${size} bytes of data, ${cursor.remaining} are left`);
  }
  return cursor.take(size);
}

const SPEC_ID = Buffer.from('Spec ID Event03\0', 'latin1');

/** The algorithms of a TCG_EfiSpecIDEvent (10.4.5.1); undefined when the log is a legacy one. */
function specIdOf({ type, data }: WrittenEvent): readonly DeclaredAlgorithm[] | undefined {
  if (type !== EV_NO_ACTION || !data.subarray(0, SPEC_ID.length).equals(SPEC_ID)) return undefined;
  const cursor = new Cursor(data, 'event log header');
  cursor.take(SPEC_ID.length + 8); // platform class, versions, errata, size of UINTN
  const count = cursor.u32le();
  if (count === 0 || count > MAX_ALGORITHMS) cursor.fail(`${count} digest algorithms`);
  const algorithms = Array.from({ length: count }, () => ({
    id: cursor.u16le(),
    sizeBytes: cursor.u16le(),
  }));
  for (const { id, sizeBytes } of algorithms) {
    const known = hashById(id);
    if (known !== undefined && known.sizeBytes !== sizeBytes) {
      cursor.fail(`${known.name} digests of ${sizeBytes} bytes`);
    }
  }
  return algorithms; // vendor information follows, which some firmware leaves out of the size
}

/** PCR, type, digest count and size. */
const SMALLEST_AGILE_BYTES = 16;
/** PCR, type, SHA-1 digest and size. */
const SMALLEST_LEGACY_BYTES = 32;

/**
 * Length of the run of 00 or ff that ends the log: memory that firmware set aside and did not use. It is
 * looked for once, because an event may begin like padding and a log may be full of such events.
 */
function paddingBytes(bytes: Bytes): number {
  const last = bytes.at(-1);
  if (last !== 0x00 && last !== 0xff) return 0;
  return bytes.length - 1 - bytes.findLastIndex((byte) => byte !== last);
}

const STARTUP_LOCALITY = Buffer.from('StartupLocality\0', 'latin1');

/** TCG_EfiStartupLocalityEvent (10.4.5.3), valid only before the first measurement into PCR 0. */
function localityOf(events: readonly WrittenEvent[]): number | undefined {
  for (const { pcr, type, data } of events) {
    if (type !== EV_NO_ACTION) {
      if (pcr === 0) return undefined;
      continue;
    }
    const named = data.subarray(0, STARTUP_LOCALITY.length).equals(STARTUP_LOCALITY);
    if (named && data.length === STARTUP_LOCALITY.length + 1) return data.at(-1);
  }
  return undefined;
}
