// Finds how far a list must be replayed for a quoted register, and goes on from there with the next
// quote: a list that grew after the quote does not fail, and nothing is replayed twice.
import type { Bytes } from '#agent/base/bytes.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { imaEntries } from './list.ts';
import { ImaRegisters, waysToExtend, type ExtendedBy, type WayToExtend } from './registers.ts';
import { ImaTally } from './tally.ts';

/** The register of IMA unless a policy names another (CONFIG_IMA_MEASURE_PCR_IDX). */
export const IMA_PCR = 10;

/** A list, or what was appended to it since `offset`. */
export interface ImaPiece {
  /** Bytes of the list before these. */
  readonly offset: number;
  readonly bytes: Bytes;
}

export interface ImaMatch {
  /** Entries from the start of the list that account for the register. */
  readonly entries: number;
  readonly extendedBy: ExtendedBy;
}

/** Where a replay stands: all before it was confirmed by a quote. */
interface Position {
  readonly offset: number;
  readonly tally: ImaTally;
  readonly registers: ImaRegisters;
  readonly way: WayToExtend;
}

/** Follows the list of one boot from quote to quote. */
export class ImaReplay {
  readonly #bank: HashName;
  readonly #ways: readonly WayToExtend[];
  #position: Position | undefined;

  /** `ways` are those that are tried, in turn. */
  constructor(bank: HashName, ways: readonly WayToExtend[] = waysToExtend(bank)) {
    this.#bank = bank;
    this.#ways = ways;
  }

  /** Bytes of the list that quotes have confirmed: where the next piece may start. */
  get offset(): number {
    return this.#position?.offset ?? 0;
  }

  /** What is to be said of the entries that quotes have confirmed. */
  get tally(): ImaTally {
    return this.#position?.tally ?? new ImaTally();
  }

  /**
   * Replays `piece` until PCR 10 is `quoted` (hex) and stays there; null, and stays where it was, when it
   * never is. A piece from offset 0 starts over, as after a boot.
   * Errors: EVIDENCE_MALFORMED; RangeError for a piece that starts anywhere else than at `offset`.
   */
  advance({ offset, bytes }: ImaPiece, quoted: string): ImaMatch | null {
    if (offset !== 0 && offset !== this.offset) {
      throw new RangeError(`a piece from offset ${offset}, the replay stands at ${this.offset}`);
    }
    const from = offset === 0 ? undefined : this.#position;
    if (from?.registers.values.get(IMA_PCR) === quoted) return matchOf(from);
    const ways = from === undefined ? this.#ways : [from.way];
    for (const way of ways) {
      const reached = reach(quoted, { bank: this.#bank, way, bytes, from });
      if (reached === undefined) continue;
      this.#position = reached;
      return matchOf(reached);
    }
    return null;
  }
}

const matchOf = ({ tally, way }: Position): ImaMatch => ({
  entries: tally.entries,
  extendedBy: way.extendedBy,
});

interface Stretch {
  readonly bank: HashName;
  readonly way: WayToExtend;
  readonly bytes: Bytes;
  readonly from: Position | undefined;
}

function reach(quoted: string, { bank, way, bytes, from }: Stretch): Position | undefined {
  const registers = new ImaRegisters(bank, way, from?.registers.values);
  const tally = from?.tally.copy() ?? new ImaTally();
  for (const entry of imaEntries(bytes, tally.entries)) {
    tally.add(entry);
    if (registers.extend(entry) !== quoted || entry.pcr !== IMA_PCR) continue;
    return { offset: (from?.offset ?? 0) + entry.endOffset, tally, registers, way };
  }
  return undefined;
}
