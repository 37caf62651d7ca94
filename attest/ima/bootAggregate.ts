// The first entry of an IMA list, `boot_aggregate`: a digest over the registers of the boot before it,
// which ties the list to that boot.
import { hash } from 'node:crypto';
import { concat, hex } from '#agent/base/bytes.ts';
import type { PcrValues } from '#attest/quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { entryFields, eventName, type ImaEntry } from './entry.ts';

/** What the kernel calls it. */
const NAME = 'boot_aggregate';

export interface BootAggregate {
  /** `sha256`; the bank whose registers were hashed, and the hash. */
  readonly algorithm: string;
  /** Hex. */
  readonly value: string;
  /** All zero: the kernel had no TPM when IMA started, so nothing ties the list to a boot. */
  readonly zero: boolean;
}

/** What `entry` states; undefined when it is another entry. */
export function bootAggregateOf(entry: ImaEntry): BootAggregate | undefined {
  if (eventName(entry) !== NAME) return undefined;
  const fields = entryFields(entry);
  const named = fields.get('d-ng') ?? fields.get('d-ngv2');
  const end = named?.indexOf(0) ?? -1;
  const digest = named?.subarray(end + 1) ?? fields.get('d') ?? Buffer.alloc(0);
  const algorithm = named?.subarray(0, Math.max(0, end - 1)).toString('latin1') ?? 'sha1';
  return {
    algorithm: ALGORITHM.exec(algorithm)?.[1] ?? 'unknown',
    value: hex(digest),
    zero: digest.every((byte) => byte === 0),
  };
}

/** `sha256`, or `ima:sha256` of the templates that name the kind of digest too. */
const ALGORITHM = /^(?:[\w-]{1,32}:)?([\w-]{1,32})$/;

/** Registers that go into it, by what a kernel takes (ima_calc_boot_aggregate_tfm). */
export type AggregateRange = '0-7' | '0-9';

const LAST: Readonly<Record<AggregateRange, number>> = { '0-7': 7, '0-9': 9 };

/**
 * What boot_aggregate would be after the boot that left `pcrs` in `bank`: over PCR 0 to 9, as Linux does
 * since 5.8 in all banks but SHA-1, and over PCR 0 to 7. A range that `pcrs` does not cover is left out.
 */
export function bootAggregate(
  pcrs: PcrValues,
  bank: HashName,
): ReadonlyMap<AggregateRange, string> {
  const ranges: readonly AggregateRange[] = bank === 'sha1' ? ['0-7'] : ['0-9', '0-7'];
  return new Map(
    ranges.flatMap((range) => {
      const values = Array.from({ length: LAST[range] + 1 }, (_, pcr) => pcrs.get(pcr));
      const known = values.filter((value) => value !== undefined);
      if (known.length < values.length) return [];
      return [[range, hash(bank, concat(...known), 'hex')] as const];
    }),
  );
}
