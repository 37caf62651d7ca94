// Reads rosters from the bus by digest (PROTOCOL 3.3): changes to one that is in hand where there are, whole
// otherwise. Everything is checked against the digest that a signed record carries; what does not hash to it
// does not exist.
import type { Bus } from './bus.ts';
import { Members } from './members.ts';
import {
  MAX_ROWS,
  readChange,
  readEntry,
  readRows,
  ROWS_PER_MESSAGE,
  type RosterChange,
  type RosterEntry,
  type RosterIndex,
} from './roster.ts';

/** Of an index in several messages, that from row `part` x ROWS_PER_MESSAGE on. */
export const indexKey = (digest: string, part: number): string =>
  part === 0 ? `index.${digest}` : `index.${digest}.${part}`;
export const changeKey = (digest: string): string => `change.${digest}`;
export const entryKey = (hash: string): string => `entry.${hash}`;

/** From a whole index to the next: so many changes lie between at most (rosterPublisher.ts). */
export const CHANGES_BETWEEN = 16;

export class RosterSource {
  readonly #bus: Pick<Bus, 'get'>;
  readonly #bucket: string;
  /** The last roster loaded: it stays known when the bus has lost it. */
  #last = Members.none;

  constructor(bus: Pick<Bus, 'get'>, bucket: string) {
    this.#bus = bus;
    this.#bucket = bucket;
  }

  /** The roster with this digest; undefined while it cannot be had. */
  async load(digest: string): Promise<Members | undefined> {
    const changes: RosterChange[] = [];
    let wanted = digest;
    while (wanted !== this.#last.digest) {
      const change =
        changes.length < CHANGES_BETWEEN
          ? readChange(await this.#get(changeKey(wanted)))
          : undefined;
      if (!change || (change.whole && change.from !== this.#last.digest)) break;
      changes.unshift(change);
      wanted = change.from;
    }
    const base = wanted === this.#last.digest ? this.#last : await this.#whole(wanted);
    const made = base && changes.reduce((members, change) => members.changed(change), base);
    if (made?.digest !== digest || made.rows.length > MAX_ROWS) return undefined;
    this.#last = made;
    return made;
  }

  /** The entry with this hash; undefined while it cannot be had. */
  async entry(hash: string): Promise<RosterEntry | undefined> {
    return readEntry(await this.#get(entryKey(hash)), hash);
  }

  async #whole(digest: string): Promise<Members | undefined> {
    const all: RosterIndex = [];
    for (let part = 0; part * ROWS_PER_MESSAGE < MAX_ROWS; part += 1) {
      const rows = readRows(await this.#get(indexKey(digest, part)));
      if (!rows) break;
      all.push(...rows);
      if (rows.length < ROWS_PER_MESSAGE) break;
    }
    const isOfEach = new Set(all.map(({ node }) => node)).size === all.length;
    const members = isOfEach ? Members.of(all) : undefined;
    return members?.digest === digest ? members : undefined;
  }

  async #get(key: string): Promise<unknown> {
    return (await this.#bus.get(this.#bucket, key))?.value;
  }
}
