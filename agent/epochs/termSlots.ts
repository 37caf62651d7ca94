// How many records were taken of one slot of one term: who conducts makes one. It remembers numbers and nothing else.
import type { EpochRecord } from './record.ts';

/** One, and some to spare for a conductor that has begun again. */
const MAX_RECORDS = 4;
/** More than are looked back at. */
const MAX_REMEMBERED = 4_096;

type Place = Pick<EpochRecord, 'term' | 'atSlot' | 'periodMs'>;

const nameOf = ({ term, atSlot, periodMs }: Place): string => `${term}/${atSlot}/${periodMs}`;

export class TermSlots {
  readonly #counts = new Map<string, number>();

  /** True when no other record of its term and slot is taken. */
  isFull(record: Place): boolean {
    return (this.#counts.get(nameOf(record)) ?? 0) >= MAX_RECORDS;
  }

  add(record: Place): void {
    const name = nameOf(record);
    const count = this.#counts.get(name) ?? 0;
    const [oldest] = this.#counts.keys();
    if (count === 0 && this.#counts.size >= MAX_REMEMBERED && oldest !== undefined) {
      this.#counts.delete(oldest);
    }
    this.#counts.set(name, count + 1);
  }
}
