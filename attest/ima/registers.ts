// The registers of one bank as IMA extends them, entry by entry. Values are claims until a quote
// confirms one.
import { hash } from 'node:crypto';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { isViolation, templateHash, type ImaEntry } from './entry.ts';

/**
 * What a bank is extended with: since Linux 5.8 the template hash by its own algorithm; before that, and
 * for a bank whose algorithm the kernel lacks, the SHA-1 template hash padded with zeros.
 */
export type ExtendedBy = 'bank hash' | 'padded sha1';

export interface WayToExtend {
  readonly extendedBy: ExtendedBy;
  /** A violation is ones: as many as the hash has, which the kernel then pads, or a register full. */
  readonly violationFills: 'hash' | 'register';
}

/** As kernels do since Linux 5.8. */
export const BANK_HASH: WayToExtend = { extendedBy: 'bank hash', violationFills: 'hash' };

/** Every way that is met; kernels pad the ones too, recorded values of other replays may not. */
const WAYS_TO_EXTEND: readonly WayToExtend[] = [
  BANK_HASH,
  { extendedBy: 'padded sha1', violationFills: 'hash' },
  { extendedBy: 'padded sha1', violationFills: 'register' },
];

/** In bank SHA-1 nothing is padded: all ways are one. */
export const waysToExtend = (bank: HashName): readonly WayToExtend[] =>
  bank === 'sha1' ? [BANK_HASH] : WAYS_TO_EXTEND;

export class ImaRegisters {
  readonly #bank: HashName;
  readonly #extendedBy: HashName;
  readonly #values: Map<number, string>;
  readonly #ones: string;
  /** Old value, then what it is extended with. */
  readonly #input: Buffer;

  /** `values` are those to start from, hex by index; zeros where there is none. */
  constructor(bank: HashName, way: WayToExtend, values: ReadonlyMap<number, string> = new Map()) {
    this.#bank = bank;
    this.#extendedBy = way.extendedBy === 'bank hash' ? bank : 'sha1';
    this.#values = new Map(values);
    const filled = way.violationFills === 'hash' ? this.#extendedBy : bank;
    this.#ones = 'ff'.repeat(hashByName(filled).sizeBytes);
    this.#input = Buffer.alloc(2 * hashByName(bank).sizeBytes);
  }

  /** Hex by index, of the registers that an entry was for. */
  get values(): ReadonlyMap<number, string> {
    return this.#values;
  }

  /** Extends the register of `entry` and returns its new value, hex (TPM 2.0 Part 1 17.4). */
  extend(entry: ImaEntry): string {
    const digest = isViolation(entry) ? this.#ones : templateHash(entry, this.#extendedBy);
    this.#input.fill(0);
    this.#input.write(this.#values.get(entry.pcr) ?? '', 'hex');
    this.#input.write(digest, this.#input.length / 2, 'hex');
    const value = hash(this.#bank, this.#input, 'hex');
    this.#values.set(entry.pcr, value);
    return value;
  }
}
