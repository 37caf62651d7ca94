// How many requests are looked at in a slot: so many of each node, which the bus lets speak on subjects of its own
// alone, and so many in all. Nobody can use up what is there for the others.
import type { NodeName, Slot } from '#agent/base/brands.ts';

export class Quota {
  readonly #ofEach: number;
  readonly #inAll: number;
  /** Those taken in the slot that is counted. */
  readonly #taken = new Map<NodeName, number>();
  #slot: Slot | undefined;
  #count = 0;

  constructor(ofEach: number, inAll: number) {
    this.#ofEach = ofEach;
    this.#inAll = inAll;
  }

  /** Counts a request of `node`; false: it is one too many in this slot. */
  take(node: NodeName, slot: Slot): boolean {
    if (this.#slot !== slot) {
      this.#slot = slot;
      this.#count = 0;
      this.#taken.clear();
    }
    const taken = this.#taken.get(node) ?? 0;
    if (taken >= this.#ofEach || this.#count >= this.#inAll) return false;
    this.#taken.set(node, taken + 1);
    this.#count += 1;
    return true;
  }
}
