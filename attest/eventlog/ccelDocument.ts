// All that can be said of the event log of a confidential guest by itself, as `tidelock evidence ccel`
// prints it: that of any log, with RTMRs and with what only such a log can get wrong.
import type { Bytes } from '#agent/base/bytes.ts';
import type { Finding } from '#attest/finding.ts';
import { LAST_REGISTER, RTMR_BANK, rtmrsOf, type Rtmrs } from './ccel.ts';
import { parseCcelTable, type CcelTable } from './ccelTable.ts';
import { logDocument, type LogDocument } from './document.ts';
import { capped, onEvent, onLog, type ReadLog } from './findings.ts';
import type { LogEvent } from './parse.ts';
import { replay } from './replay.ts';
import { EV_NO_ACTION } from './types.ts';

/** What `tidelock evidence ccel -o json` prints. */
export interface CcelDocument extends LogDocument {
  readonly rtmrs: Rtmrs;
  /** Of the ACPI table, when it was given. */
  readonly table?: CcelTable;
}

/**
 * Everything about a CCEL of `logBytes` bytes; `table` is the ACPI table.
 * Errors: EVIDENCE_MALFORMED when the table is none.
 */
export function ccelDocument(read: ReadLog, logBytes: number, table?: Bytes): CcelDocument {
  const document = logDocument(read);
  const { events, banks } = read.log;
  const findings = [
    ...document.findings,
    ...capped(events.flatMap(registerFinding)),
    ...(replay(read.log, RTMR_BANK).size > 0 ? [] : [bankMissing(banks)]),
  ];
  const rtmrs = rtmrsOf(read.log);
  if (table === undefined) return { ...document, rtmrs, findings };
  const parsed = parseCcelTable(table);
  return {
    ...document,
    rtmrs,
    table: parsed,
    findings: [...findings, ...tableFindings(parsed, logBytes)],
  };
}

function registerFinding(event: LogEvent): Finding[] {
  if (event.type === EV_NO_ACTION) return [];
  if (event.pcr === 0) {
    const text = 'An event for MRTD, which is sealed before the guest runs: it is not replayed.';
    return [onEvent(event, 'MRTD_EXTENDED', 'warning', text)];
  }
  if (event.pcr <= LAST_REGISTER) return [];
  const text = `An event for register ${event.pcr}; a TDX guest has 1 to 4. This is the log of a TPM, or was edited: use tidelock evidence eventlog.`;
  return [onEvent(event, 'REGISTER_UNKNOWN', 'error', text)];
}

const bankMissing = (banks: readonly string[]): Finding =>
  onLog(
    'BANK_MISSING',
    'error',
    `The log declares ${banks.join(', ') || 'no known bank'} and extends nothing in ${RTMR_BANK}, the bank of RTMRs: it accounts for none of them.`,
  );

function tableFindings({ checksumHolds, logBytes }: CcelTable, fileBytes: number): Finding[] {
  const findings: Finding[] = [];
  if (!checksumHolds) {
    const text = 'The bytes of the CCEL table do not add up to 0: it was altered or cut.';
    findings.push(onLog('TABLE_CHECKSUM', 'error', text));
  }
  if (logBytes !== fileBytes) {
    const text = `The CCEL table sets ${logBytes} bytes aside, the log has ${fileBytes}: it may have been cut, or is of another boot.`;
    findings.push(onLog('TABLE_LENGTH', 'warning', text));
  }
  return findings;
}
