// Puts rosters on the bus for RosterSource (PROTOCOL 3.3): entries by content, the change since the roster before,
// and now and then all of the index, so that who comes anew need not read every change.
import type { Bus } from './bus.ts';
import { Members } from './members.ts';
import { entryHash, ROWS_PER_MESSAGE, type RosterEntry } from './roster.ts';
import { changeKey, CHANGES_BETWEEN, entryKey, indexKey } from './rosterSource.ts';

const PUTS_AT_ONCE = 32;

export class RosterPublisher {
  readonly #bus: Pick<Bus, 'get' | 'put'>;
  readonly #bucket: string;
  /** The last one that is known to be on the bus. */
  #last: Members | undefined;
  /** Changes since the whole index was put there. */
  #changes = 0;

  constructor(bus: Pick<Bus, 'get' | 'put'>, bucket: string) {
    this.#bus = bus;
    this.#bucket = bucket;
  }

  /** True once `members` can be had from the bus. */
  async publish(members: Members): Promise<boolean> {
    const last = this.#last;
    if (last?.digest === members.digest) return true;
    const { put, gone } = members.since(last ?? Members.none);
    const isShort = put.length + gone.length <= ROWS_PER_MESSAGE;
    const whole = !last || !isShort || this.#changes + 1 >= CHANGES_BETWEEN;
    if (whole && !(await this.#putWhole(members))) return false;
    if (last && isShort) {
      const change = { v: 1 as const, from: last.digest, whole, put: [...put], gone: [...gone] };
      if (!(await this.#bus.put(this.#bucket, changeKey(members.digest), change))) return false;
    }
    this.#last = members;
    this.#changes = whole ? 0 : this.#changes + 1;
    return true;
  }

  /** Puts entries there; those that failed are left out of the result. */
  async publishEntries(entries: readonly RosterEntry[]): Promise<readonly RosterEntry[]> {
    const done: RosterEntry[] = [];
    for (let i = 0; i < entries.length; i += PUTS_AT_ONCE) {
      const some = entries.slice(i, i + PUTS_AT_ONCE);
      const isPut = await Promise.all(
        some.map((entry) => this.#bus.put(this.#bucket, entryKey(entryHash(entry)), entry)),
      );
      done.push(...some.filter((_, place) => isPut[place]));
    }
    return done;
  }

  /** False: a bus that has lost its data has none of it. */
  async isThere(): Promise<boolean> {
    if (!this.#last) return true;
    const { digest } = this.#last;
    const keys = [changeKey(digest), indexKey(digest, 0)];
    for (const key of keys) if (await this.#bus.get(this.#bucket, key)) return true;
    return false;
  }

  /** Everything is published anew with the next roster. */
  forget(): void {
    this.#last = undefined;
    this.#changes = 0;
  }

  async #putWhole({ digest, rows }: Members): Promise<boolean> {
    for (let part = 0; part * ROWS_PER_MESSAGE <= rows.length; part += 1) {
      const some = rows.slice(part * ROWS_PER_MESSAGE, (part + 1) * ROWS_PER_MESSAGE);
      if (!(await this.#bus.put(this.#bucket, indexKey(digest, part), some))) return false;
    }
    return true;
  }
}
