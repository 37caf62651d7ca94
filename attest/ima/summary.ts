// Everything that an IMA list says by itself: how many entries of which templates, the registers that
// they lead to in every bank, and what an auditor should know. No claim in it is confirmed by a quote.
import type { Bytes } from '#agent/base/bytes.ts';
import type { Finding } from '#attest/finding.ts';
import { HASH_NAMES, type HashName } from '#attest/tpm/algorithms.ts';
import type { BootAggregate } from './bootAggregate.ts';
import type { ImaEntry } from './entry.ts';
import { imaEntries, imaFormOf, type ImaForm } from './list.ts';
import { BANK_HASH, ImaRegisters } from './registers.ts';
import { ImaTally } from './tally.ts';

export interface ImaSummary {
  readonly form: ImaForm;
  readonly entries: number;
  /** Number of entries by template. */
  readonly templates: Readonly<Record<string, number>>;
  /** By bank, then by PCR: hex, as Linux since 5.8 extends it. */
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly violations: number;
  /** Entries whose template hash is not that of what they state. */
  readonly mismatches: number;
  /** Null where the list does not start with one. */
  readonly bootAggregate: BootAggregate | null;
  readonly findings: readonly Finding[];
}

/** Told of each entry, and what the banks are once they were extended with it. */
export type ImaWatch = (entry: ImaEntry, banks: ReadonlyMap<HashName, ImaRegisters>) => void;

/** Replays a whole list in every bank, in one pass. Errors: EVIDENCE_MALFORMED. */
export function summarizeIma(bytes: Bytes, watch?: ImaWatch): ImaSummary {
  const tally = new ImaTally();
  const banks = new Map(HASH_NAMES.map((bank) => [bank, new ImaRegisters(bank, BANK_HASH)]));
  for (const entry of imaEntries(bytes)) {
    tally.add(entry);
    for (const registers of banks.values()) registers.extend(entry);
    watch?.(entry, banks);
  }
  return {
    form: imaFormOf(bytes),
    entries: tally.entries,
    templates: tally.templates,
    pcrs: Object.fromEntries(
      Array.from(banks, ([bank, { values }]) => [bank, Object.fromEntries(values)] as const),
    ),
    violations: tally.violations,
    mismatches: tally.mismatches,
    bootAggregate: tally.bootAggregate ?? null,
    findings: tally.findings,
  };
}
