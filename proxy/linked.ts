// A list that things enter and leave for every connection: in order, in constant time, without memory of
// its own. A Set would make tables anew again and again, each of which keeps the next one alive until a
// full collection, and with it everything that stood in it (docs/decisions/0010).

/** What may stand in one LinkedList at a time. */
export abstract class Linked {
  /** The list it stands in; written by that alone, as are its neighbours. */
  list: object | undefined = undefined;
  before: Linked | undefined = undefined;
  after: Linked | undefined = undefined;
}

export class LinkedList<T extends Linked> {
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that has stood in it longest. */
  get first(): T | undefined {
    return this.#first;
  }

  /** The one that came last. */
  get last(): T | undefined {
    return this.#last;
  }

  /** Puts `item` last. Errors: RangeError when it stands in a list already. */
  add(item: T): void {
    if (item.list) throw new RangeError('stands in a list already');
    item.list = this;
    item.before = this.#last;
    if (this.#last) this.#last.after = item;
    else this.#first = item;
    this.#last = item;
    this.#size += 1;
  }

  /** False: it stands in another list or in none. */
  delete(item: T): boolean {
    if (item.list !== this) return false;
    const { before, after } = item;
    if (before) before.after = after;
    else this.#first = after as T | undefined;
    if (after) after.before = before;
    else this.#last = before as T | undefined;
    item.list = undefined;
    item.before = undefined;
    item.after = undefined;
    this.#size -= 1;
    return true;
  }

  /** All, first to last, as of now. */
  toArray(): T[] {
    const all: T[] = [];
    for (let item = this.#first; item; item = item.after as T | undefined) all.push(item);
    return all;
  }
}
