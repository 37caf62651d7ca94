// Judges an IMA list by itself, against a value of PCR 10 that the reader trusts, and against the event
// log of its boot. The value and the log are taken as given: quotes are for attest/quote.
import type { Bytes } from '#agent/base/bytes.ts';
import type { PcrValues } from '#attest/quote.ts';
import type { EventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import type { Finding, Severity } from '#attest/finding.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import type { AggregateRange, BootAggregate } from './bootAggregate.ts';
import { BANK_HASH, waysToExtend } from './registers.ts';
import { IMA_PCR, ImaReplay, type ImaMatch } from './replay.ts';
import { summarizeIma, type ImaSummary } from './summary.ts';
import { tieToBoot, type BootTie } from './tie.ts';

export interface ImaQuestion {
  readonly list: Bytes;
  /** A value of PCR 10, hex in lower case, that some part of the list must lead to. */
  readonly quoted?: { readonly bank: HashName; readonly value: string } | undefined;
  /** Firmware event log of the same boot. */
  readonly eventLog?: EventLog | undefined;
  /** Told how many bytes of the list are done, entry by entry. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/** Whether boot_aggregate is what the event log leads to, and over which registers it then is. */
export interface ImaBoot {
  readonly tied: boolean;
  readonly registers: AggregateRange | null;
}

export interface ImaAnswer extends ImaSummary {
  /** The part of the list that leads to the value; present where one was given. */
  readonly matched?: ImaMatch | null;
  /** Present where an event log was given. */
  readonly boot?: ImaBoot;
}

/** Errors: EVIDENCE_MALFORMED. */
export function judgeIma({ list, quoted, eventLog, onProgress }: ImaQuestion): ImaAnswer {
  let matched: ImaMatch | null = null;
  const summary = summarizeIma(list, (entry, banks) => {
    onProgress?.(entry.endOffset);
    if (matched !== null || quoted === undefined) return;
    if (banks.get(quoted.bank)?.values.get(IMA_PCR) !== quoted.value) return;
    matched = { entries: entry.index + 1, extendedBy: 'bank hash' };
  });
  if (quoted !== undefined) {
    const others = waysToExtend(quoted.bank).filter((way) => way !== BANK_HASH);
    const replayed = new ImaReplay(quoted.bank, others);
    matched ??= replayed.advance({ offset: 0, bytes: list }, quoted.value);
  }
  const tie = eventLog && tieToLog(summary.bootAggregate, eventLog);
  const findings = [
    ...summary.findings,
    ...(quoted && matched === null ? [unreached(quoted)] : []),
    ...(tie && !tie.tied ? [untied(tie)] : []),
  ];
  return {
    ...summary,
    findings,
    ...(quoted && { matched }),
    ...(tie && { boot: { tied: tie.tied, registers: tie.tied ? tie.range : null } }),
  };
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

const untied = ({ known, why }: BootTie & { readonly tied: false }): Finding =>
  known
    ? finding('BOOT_AGGREGATE_DIFFERS', 'error', null, `boot_aggregate: ${why}.`)
    : finding('BOOT_AGGREGATE_NOT_TIED', 'warning', null, `boot_aggregate: ${why}.`);

function tieToLog(stated: BootAggregate | null, log: EventLog): BootTie {
  return tieToBoot(stated ?? undefined, (bank) =>
    log.banks.includes(bank) ? bootRegisters(replay(log, bank), bank) : new Map(),
  );
}

/** A register that the log does not mention is as the TPM started it. */
const bootRegisters = (replayed: PcrValues, bank: HashName): PcrValues =>
  new Map(
    Array.from({ length: 10 }, (_, pcr) => [
      pcr,
      replayed.get(pcr) ?? Buffer.alloc(hashByName(bank).sizeBytes),
    ]),
  );
