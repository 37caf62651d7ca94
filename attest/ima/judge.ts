// Judges an IMA list by itself, against a value of PCR 10 that the reader trusts, and against the event
// log of its boot. The value and the log are taken as given: quotes are for attest/quote.
import type { Bytes } from '#agent/base/bytes.ts';
import type { PcrValues } from '#attest/quote.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import type { Finding, Severity } from '#attest/finding.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import type { BootAggregate } from './bootAggregate.ts';
import { IMA_PCR, ImaReplay, type ImaMatch } from './replay.ts';
import { summarizeIma, type ImaSummary } from './summary.ts';
import { tieToBoot } from './tie.ts';

export interface ImaQuestion {
  readonly list: Bytes;
  /** A value of PCR 10, hex in lower case, that some part of the list must lead to. */
  readonly quoted?: { readonly bank: HashName; readonly value: string } | undefined;
  /** Firmware event log of the same boot. */
  readonly eventLog?: Bytes | undefined;
}

export interface ImaAnswer extends ImaSummary {
  /** The part of the list that leads to the value; present where one was given. */
  readonly matched?: ImaMatch | null;
}

/** Errors: EVIDENCE_MALFORMED, for the list and for the log. */
export function judgeIma({ list, quoted, eventLog }: ImaQuestion): ImaAnswer {
  const summary = summarizeIma(list);
  const matched =
    quoted && new ImaReplay(quoted.bank).advance({ offset: 0, bytes: list }, quoted.value);
  const findings = [
    ...summary.findings,
    ...(quoted && matched === null ? [unreached(quoted)] : []),
    ...(eventLog ? tieFindings(summary.bootAggregate, eventLog) : []),
  ];
  return { ...summary, findings, ...(matched === undefined ? {} : { matched }) };
}

const finding = (code: string, severity: Severity, pcr: number | null, text: string): Finding => ({
  code,
  severity,
  event: null,
  pcr,
  text,
});

const unreached = ({ bank, value }: { readonly bank: HashName; readonly value: string }): Finding =>
  finding(
    'PCR_NOT_REACHED',
    'error',
    IMA_PCR,
    `no part of the list, from its start, leads to ${bank} ${value}: the list was edited, is of another boot or node, or was read before the register.`,
  );

function tieFindings(stated: BootAggregate | null, eventLog: Bytes): Finding[] {
  const log = parseEventLog(eventLog);
  const tie = tieToBoot(stated ?? undefined, (bank) =>
    log.banks.includes(bank) ? bootRegisters(replay(log, bank), bank) : new Map(),
  );
  if (tie.tied) return [];
  return [
    tie.known
      ? finding('BOOT_AGGREGATE_DIFFERS', 'error', null, `boot_aggregate: ${tie.why}.`)
      : finding('BOOT_AGGREGATE_NOT_TIED', 'warning', null, `boot_aggregate: ${tie.why}.`),
  ];
}

/** A register that the log does not mention is as the TPM started it. */
const bootRegisters = (replayed: PcrValues, bank: HashName): PcrValues =>
  new Map(
    Array.from({ length: 10 }, (_, pcr) => [
      pcr,
      replayed.get(pcr) ?? Buffer.alloc(hashByName(bank).sizeBytes),
    ]),
  );
