// One entry of an IMA list: what it states, and the template hash recomputed from it. It knows neither
// of the two forms in which lists are written.
import { hash } from 'node:crypto';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { FIXED_TEMPLATE, templateFields } from './template.ts';

export interface ImaEntry {
  /** Position in the list, the first being 0. */
  readonly index: number;
  readonly pcr: number;
  /** Name of the template, or its format where it has no name. */
  readonly template: string;
  /** Template hash as listed, hex in lower case. */
  readonly listed: string;
  readonly listedBy: HashName;
  /** What the template hash covers. */
  readonly data: Buffer;
  /** Where the next entry starts, in bytes from the start of what was read. */
  readonly endOffset: number;
}

/** PCRs a PC TPM has (PTP 4.6.1). */
export const PCR_COUNT = 24;
/** IMA_EVENT_NAME_LEN_MAX + 1: the room that a name has under the template hash of `ima`. */
export const FIXED_NAME_BYTES = 256;
/** The digest of template `ima` is SHA-1. */
export const FIXED_DIGEST_BYTES = 20;

/** Hex of the template hash by `bank` (ima_calc_field_array_hash_tfm). */
export const templateHash = ({ data }: ImaEntry, bank: HashName): string => hash(bank, data, 'hex');

const ZEROS = '0'.repeat(128);

/** A violation is listed as zeros and extended as ones: the file changed while it was measured. */
export const isViolation = ({ listed }: ImaEntry): boolean =>
  listed === ZEROS.slice(0, listed.length);

/** The fields of an entry, by id; empty for a template that Tidelock does not know. */
export function entryFields({ template, data }: ImaEntry): ReadonlyMap<string, Buffer> {
  if (template === FIXED_TEMPLATE) {
    return new Map([
      ['d', data.subarray(0, FIXED_DIGEST_BYTES)],
      ['n', data.subarray(FIXED_DIGEST_BYTES)],
    ]);
  }
  const fields = new Map<string, Buffer>();
  let at = 0;
  for (const { id } of templateFields(template) ?? []) {
    const start = at + 4;
    at = start + data.readUInt32LE(at);
    fields.set(id, data.subarray(start, at));
  }
  return fields;
}

/** What was measured: a path, or a name that the kernel gave, as `boot_aggregate`; empty if unknown. */
export function eventName(entry: ImaEntry): string {
  const fields = entryFields(entry);
  const text = (fields.get('n-ng') ?? fields.get('n') ?? Buffer.alloc(0)).toString();
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** `1 entry`, `3 entries`. */
export const entriesText = (count: number): string =>
  count === 1 ? '1 entry' : `${count} entries`;

/** `entry 3 (ima-ng /usr/bin/true)`. */
export const entryText = (entry: ImaEntry): string =>
  `entry ${entry.index} (${entry.template} ${JSON.stringify(eventName(entry)).slice(1, -1)})`;
