// RFC 6962 Merkle tree hashes: the roster is committed to by one digest in each epoch record.
import { sha256, type Bytes } from '#agent/base/bytes.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** `MTH({d})` of one entry (RFC 6962 2.1), 32 bytes. */
export const leafHash = (data: Bytes): Buffer => sha256(LEAF, data);

/** A Merkle tree (RFC 6962 2.1) with all its hashes, so that a leaf that changes costs one path. Immutable. */
export class MerkleTree {
  /** Leaf hashes first, the root last; a hash without a right sibling stands in the next level as it is. */
  readonly #levels: readonly (readonly Buffer[])[];

  private constructor(levels: readonly (readonly Buffer[])[]) {
    this.#levels = levels;
  }

  /** Over leaf hashes, in order. */
  static of(leaves: readonly Buffer[]): MerkleTree {
    const levels = [leaves];
    for (let below = leaves; below.length > 1;) {
      const length = Math.ceil(below.length / 2);
      below = Array.from({ length }, (_, i) => parentOf(below, i));
      levels.push(below);
    }
    return new MerkleTree(levels);
  }

  /** 32 bytes; SHA-256 of nothing where there is no leaf. */
  get root(): Buffer {
    return this.#levels.at(-1)?.[0] ?? sha256(new Uint8Array(0));
  }

  /** Leaf hashes, in order. */
  get leaves(): readonly Buffer[] {
    return this.#levels[0] ?? [];
  }

  /** The same tree but for some leaf hashes, by place. */
  replaced(leaves: ReadonlyMap<number, Buffer>): MerkleTree {
    let changed: ReadonlyMap<number, Buffer> = leaves;
    const levels: (readonly Buffer[])[] = [];
    for (const level of this.#levels) {
      const next = [...level];
      for (const [place, hash] of changed) next[place] = hash;
      levels.push(next);
      const above = new Set([...changed.keys()].map((place) => place >> 1));
      changed = new Map([...above].map((place) => [place, parentOf(next, place)]));
    }
    return new MerkleTree(levels);
  }
}

/** The hash over the pair at `place`, or of the pair the one that there is. */
function parentOf(level: readonly Buffer[], place: number): Buffer {
  const [left, right] = [level[2 * place], level[2 * place + 1]];
  if (!left) throw new RangeError('no such place');
  return right ? sha256(NODE, left, right) : left;
}
