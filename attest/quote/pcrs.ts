// The register values that come with a quote: JSON by bank, or what `tpm2_quote -o` writes. They are
// claims, until a quoted digest confirms them.
import { fromHex, type Bytes } from '#agent/base/bytes.ts';
import { parseAs } from '#agent/base/schema.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import type { PcrValues } from '#attest/quote.ts';
import {
  HASH_NAMES,
  algText,
  hashById,
  hashByName,
  type HashName,
} from '#attest/tpm/algorithms.ts';
import { z } from 'zod';

const WHAT = 'PCR values';

/** Values by bank, then by register. */
export type PcrBanks = ReadonlyMap<HashName, PcrValues>;

/** `{"sha256":{"0":"hex"}}`; digits in either case, with or without 0x. */
const bankSchema = z.record(
  z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/),
  z
    .string()
    .regex(/^(?:0x)?(?:[0-9a-f]{2}){20,64}$/i)
    .transform((text) => fromHex(text.replace(/^0x/i, ''))),
);
const banksSchema = z.partialRecord(z.enum(HASH_NAMES), bankSchema);

/** Reads either form. Errors: EVIDENCE_MALFORMED, also for a value of another length than its bank's. */
export function readPcrBanks(bytes: Bytes): PcrBanks {
  const isJson = /^[\t\n\r ]*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'));
  return isJson ? fromJson(Buffer.from(bytes).toString()) : fromSerialized(bytes);
}

function fromJson(text: string): PcrBanks {
  const banks = new Map<HashName, PcrValues>();
  const read = parseAs(banksSchema, jsonOf(text), {
    code: 'EVIDENCE_MALFORMED',
    op: 'evidence.parse',
    what: WHAT,
    hint: 'Expected is {"sha256":{"0":"hex of 32 bytes"}}, one member a bank, one a register.',
  });
  for (const [name, values] of Object.entries(read)) {
    const bank = name as HashName;
    const { sizeBytes } = hashByName(bank);
    const wrong = Object.entries(values).find(([, value]) => value.length !== sizeBytes);
    if (wrong) throw malformed(WHAT, `${bank} PCR ${wrong[0]} has ${wrong[1].length} bytes`);
    banks.set(bank, new Map(Object.entries(values).map(([pcr, value]) => [Number(pcr), value])));
  }
  return banks;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(WHAT, 'it is no JSON', cause);
  }
}

/** Array sizes of TPML_PCR_SELECTION, TPMS_PCR_SELECTION, TPML_DIGEST and TPM2B_DIGEST in tpm2-tss. */
const SELECTIONS = 16;
const SELECT_BYTES = 4;
const DIGESTS = 8;
const DIGEST_BYTES = 64;

/**
 * The C structures that tpm2-tools 4 and 5 write, little endian: TPML_PCR_SELECTION, a count, and as
 * many TPML_DIGEST, whose digests are those of the selected registers in order.
 */
function fromSerialized(bytes: Bytes): PcrBanks {
  const cursor = new Cursor(bytes, WHAT);
  const selected = selectionOf(cursor);
  const lists = cursor.u32le();
  if (lists > Math.ceil((SELECTIONS * 24) / DIGESTS)) cursor.fail(`${lists} lists of digests`);
  const digests: Buffer[] = [];
  for (let i = 0; i < lists; i += 1) {
    const count = cursor.u32le();
    const room = Array.from({ length: DIGESTS }, () => {
      const lenBytes = cursor.u16le();
      return cursor.take(DIGEST_BYTES).subarray(0, lenBytes);
    });
    digests.push(...room.slice(0, count));
  }
  cursor.end();
  if (digests.length !== selected.length) {
    cursor.fail(`${selected.length} registers are selected, ${digests.length} values follow`);
  }
  const banks = new Map<HashName, Map<number, Buffer>>();
  for (const [i, { bank, pcr }] of selected.entries()) {
    const value = digests[i];
    if (value?.length !== hashByName(bank).sizeBytes) return cursor.fail('a value of another size');
    banks.set(bank, (banks.get(bank) ?? new Map<number, Buffer>()).set(pcr, value));
  }
  return banks;
}

function selectionOf(cursor: Cursor): { readonly bank: HashName; readonly pcr: number }[] {
  const count = cursor.u32le();
  if (count > SELECTIONS) cursor.fail(`${count} PCR selections`);
  const selections = Array.from({ length: SELECTIONS }, () => {
    const id = cursor.u16le();
    const lenBytes = cursor.u8();
    const bits = cursor.take(SELECT_BYTES).subarray(0, lenBytes);
    cursor.u8(); // the compiler's padding
    return { id, bits };
  });
  return selections.slice(0, count).flatMap(({ id, bits }) => {
    const bank = hashById(id)?.name ?? cursor.fail(`unknown PCR bank ${algText(id)}`);
    const pcrs = Array.from({ length: bits.length * 8 }, (_, pcr) => pcr);
    return pcrs
      .filter((pcr) => ((bits[pcr >>> 3] ?? 0) & (1 << (pcr & 7))) !== 0)
      .map((pcr) => ({ bank, pcr }));
  });
}
