// The verb that reads PCRs, and the decoder of what the tool prints. Values read here are claims for
// a quote to confirm.
import { fromHex } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { hashByName, type HashName } from './algorithms.ts';
import type { Sequence } from './sequence.ts';

/** `sha256:0,1,2`: a selection as the tools take it. */
export const selectionText = (bank: HashName, indices: readonly number[]): string =>
  `${bank}:${indices.join(',')}`;

/** Index to value. Errors: TPM_BANK_INACTIVE, TPM_COMMAND, TPM_UNREACHABLE. */
export async function readPcrs(
  sequence: Sequence,
  bank: HashName,
  indices: readonly number[],
): Promise<Map<number, Buffer>> {
  const printed = await sequence.tool('pcrread', selectionText(bank, indices));
  const values = decodePcrs(String(printed), bank);
  const absent = indices.filter((index) => !values.has(index));
  if (absent.length === 0)
    return new Map(indices.map((i) => [i, values.get(i) ?? Buffer.alloc(0)]));
  throw new TidelockError('TPM_BANK_INACTIVE', {
    op: 'tpm.pcrread',
    message: `Cannot read PCR ${absent.join(', ')} in bank ${bank}: the TPM does not keep them`,
    hint: `Activate the ${bank} bank in the firmware setup (tpm2_pcrallocate and a reboot), or have the owners sign a policy for a bank that is active.`,
  });
}

/** tpm2_pcrread prints one register a line, `  4 : 0xHEX`, whole values only. */
function decodePcrs(printed: string, bank: HashName): Map<number, Buffer> {
  const digits = hashByName(bank).sizeBytes * 2;
  const line = new RegExp(`^ {1,8}(\\d{1,2}) {0,3}: 0x([0-9A-Fa-f]{${digits}})$`, 'gm');
  return new Map(
    Array.from(printed.matchAll(line), ([, index, value]) => [Number(index), fromHex(value ?? '')]),
  );
}
