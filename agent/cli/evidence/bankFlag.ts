// The value of a flag that names a PCR bank.
import { usage } from '#agent/cli/arguments.ts';
import { HASH_NAMES, type HashName } from '#attest/tpm/algorithms.ts';

/** `--bank` as its flag shows it in the help. */
export const BANK_FLAG = {
  type: 'string',
  value: HASH_NAMES.join('|'),
  help: 'PCR bank; sha256 by default',
} as const;

/** The bank that `text`, the value of `--bank`, names; sha256 where it is absent. Errors: USAGE. */
export function bankFlag(verb: string, text: string | undefined): HashName {
  const bank = HASH_NAMES.find((name) => name === (text ?? 'sha256'));
  if (bank !== undefined) return bank;
  throw usage(verb, `--bank is ${JSON.stringify(text)} and must be ${HASH_NAMES.join(', ')}`);
}
