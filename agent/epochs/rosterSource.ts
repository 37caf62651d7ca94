// Reads rosters from the bus by digest (PROTOCOL 3.3). Everything is checked against the digest that
// a signed record carries; what does not hash to it does not exist.
import type { Bus } from './bus.ts';
import { readEntry, readIndex, type RosterEntry, type RosterIndex } from './roster.ts';

export interface RosterRow {
  readonly row: RosterIndex[number];
  readonly entry: RosterEntry;
}

/** Entries fetched at a time. */
const FETCHES_AT_ONCE = 32;

export class RosterSource {
  readonly #bus: Bus;
  readonly #bucket: string;
  /** The last roster loaded: it stays known when the bus has lost it. */
  #last: { readonly digest: string; readonly rows: readonly RosterRow[] } | undefined;
  /** Its entries by hash: most of them are in the next one too. */
  #entries = new Map<string, RosterEntry>();

  constructor(bus: Bus, bucket: string) {
    this.#bus = bus;
    this.#bucket = bucket;
  }

  /** All rows of the roster with this digest; undefined while index or entries cannot be had. */
  async load(digest: string): Promise<readonly RosterRow[] | undefined> {
    if (this.#last?.digest === digest) return this.#last.rows;
    const stored = await this.#bus.get(this.#bucket, `index.${digest}`);
    const index = stored && readIndex(stored.value, digest);
    if (!index) return undefined;
    const rows: RosterRow[] = [];
    for (let i = 0; i < index.length; i += FETCHES_AT_ONCE) {
      const some = await Promise.all(
        index.slice(i, i + FETCHES_AT_ONCE).map((row) => this.#row(row)),
      );
      for (const row of some) {
        if (!row) return undefined;
        rows.push(row);
      }
    }
    this.#entries = new Map(rows.map(({ row, entry }) => [row.entry, entry]));
    this.#last = { digest, rows };
    return rows;
  }

  async #row(row: RosterIndex[number]): Promise<RosterRow | undefined> {
    const known = this.#entries.get(row.entry);
    if (known) return { row, entry: known };
    const stored = await this.#bus.get(this.#bucket, `entry.${row.entry}`);
    const entry = stored && readEntry(stored.value, row.entry);
    return entry && { row, entry };
  }
}
