// All that can be said of an event log by itself, as `tidelock evidence eventlog` prints it. It says
// what the log accounts for; that a machine booted so, only a quote of the same values says.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import type { Finding } from '#attest/finding.ts';
import { algText, type HashName } from '#attest/tpm/algorithms.ts';
import { bootFacts, digestTexts, type BootFacts, type DigestTexts } from './boot.ts';
import { isGuestLog } from './ccel.ts';
import { readEvents, type Decoded, type ReadEvent } from './decode.ts';
import { describeRead } from './describe.ts';
import { capped, formFindings, onLog, type ReadLog } from './findings.ts';
import { orderFindings } from './order.ts';
import { parseEventLog, type EventLog } from './parse.ts';
import { PCRS, type Registers } from './registers.ts';
import { replay } from './replay.ts';
import { secureBootOf } from './secureBoot.ts';
import { eventTypeName } from './types.ts';

/** Hex by register, of each bank. */
export type PcrTexts = Readonly<Partial<Record<HashName, Readonly<Record<string, string>>>>>;

/** What `tidelock evidence eventlog -o json` prints. */
export interface LogDocument {
  readonly format: 'crypto-agile' | 'legacy-sha1';
  /** Banks that were replayed. */
  readonly algorithms: readonly HashName[];
  /** TPM_ALG_ID of banks that were not: `0x0012`. */
  readonly unknownAlgorithms: readonly string[];
  /** How many, the header included. */
  readonly events: number;
  readonly pcrs: PcrTexts;
  readonly trailingBytes: number;
  readonly startupLocality: number | null;
  readonly secureBoot: boolean | null;
  readonly boot: BootFacts;
  readonly findings: readonly Finding[];
}

/** One event, as `--events` lists it. */
export interface EventDocument {
  readonly index: number;
  readonly pcr: number;
  readonly type: string;
  readonly digests: DigestTexts;
  /** In a few words. */
  readonly text: string;
  readonly data: Decoded;
  /** Whether every digest is that of the whole data. */
  readonly dataCovered: boolean;
  /** What of the data the digests cover where that is not all: see coverage.ts. */
  readonly covered: ReadEvent['coverage']['part'];
}

/** A log read once, for its document and for the list of its events. */
export function readLog(bytes: Bytes, registers: Registers = PCRS): ReadLog {
  const log = parseEventLog(bytes);
  return { log, events: readEvents(log), registers };
}

/** Everything about a log. */
export function logDocument(read: ReadLog): LogDocument {
  const { log, events, registers } = read;
  const secureBoot = secureBootOf(events, registers);
  const findings = [
    ...kindFindings(read),
    ...formFindings(read),
    ...orderFindings(read),
    ...secureBoot.findings,
  ];
  return {
    format: log.format === 'legacy' ? 'legacy-sha1' : log.format,
    algorithms: log.banks,
    unknownAlgorithms: log.unknownAlgorithms.map(algText),
    events: events.length,
    pcrs: Object.fromEntries(log.banks.map((bank) => [bank, replayTexts(log, bank)])),
    trailingBytes: log.trailingBytes,
    startupLocality: log.startupLocality ?? null,
    secureBoot: secureBoot.enabled,
    boot: bootFacts(events, registers),
    findings: capped(findings),
  };
}

/** A log of the other kind reads well, and means something else. */
function kindFindings({ log, registers }: ReadLog): Finding[] {
  if (registers.kind !== 'pcr' || !isGuestLog(log)) return [];
  const text =
    'This is the event log of a TDX guest: its registers are RTMRs, not PCRs. Use tidelock evidence ccel.';
  return [onLog('GUEST_LOG', 'warning', text)];
}

/** Every event, in order. */
export const eventDocuments = ({ events }: ReadLog): EventDocument[] =>
  events.map((event) => ({
    index: event.index,
    pcr: event.pcr,
    type: eventTypeName(event.type),
    digests: digestTexts(event),
    text: describeRead(event),
    data: event.decoded,
    dataCovered: event.coverage.part === 'whole',
    covered: event.coverage.part,
  }));

const replayTexts = (log: EventLog, bank: HashName): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(replay(log, bank), ([pcr, value]) => [String(pcr), hex(value)]));
