// Whether the boot_aggregate of a list is that of the boot whose registers are known: that the list and
// the quote, or the list and the event log, speak of the same boot.
import { hashBySize, type HashName } from '#attest/tpm/algorithms.ts';
import type { PcrValues } from '#attest/quote.ts';
import { bootAggregate, type AggregateRange, type BootAggregate } from './bootAggregate.ts';

export type BootTie =
  | { readonly tied: true; readonly range: AggregateRange }
  /** `known`: registers were there to compare with, and they do not match. */
  | { readonly tied: false; readonly known: boolean; readonly why: string };

/** `registersOf` gives the values of a bank, as far as they are known. */
export function tieToBoot(
  stated: BootAggregate | undefined,
  registersOf: (bank: HashName) => PcrValues,
): BootTie {
  if (stated === undefined) return unknown('the list does not start with boot_aggregate');
  if (stated.zero) return unknown('it is all zero: the kernel had no TPM when IMA started');
  const bank = bankNamed(stated);
  if (bank === undefined) return unknown(`no bank is of ${stated.algorithm}`);
  const candidates = bootAggregate(registersOf(bank), bank);
  for (const [range, value] of candidates) {
    if (value === stated.value) return { tied: true, range };
  }
  if (candidates.size === 0) return unknown(`PCR 0 to 9 of bank ${bank} are not known`);
  const expected = [...candidates].map(([range, value]) => `${value} over PCR ${range}`);
  const why = `it is ${bank} ${stated.value}, and the registers give ${expected.join(' or ')}: the list is of another boot`;
  return { tied: false, known: true, why };
}

const unknown = (why: string): BootTie => ({ tied: false, known: false, why });

function bankNamed({ algorithm, value }: BootAggregate): HashName | undefined {
  const name = hashBySize(value.length / 2)?.name;
  return name === algorithm ? name : undefined;
}
