// A map by two keys. One key made of both would be a new string at each look-up, to be joined and hashed.
export class PairMap<Key, Value> {
  readonly #rows = new Map<Key, Map<Key, Value>>();

  get(first: Key, second: Key): Value | undefined {
    return this.#rows.get(first)?.get(second);
  }

  set(first: Key, second: Key, value: Value): void {
    const row = this.#rows.get(first);
    if (row) row.set(second, value);
    else this.#rows.set(first, new Map([[second, value]]));
  }
}
