// The index of a roster (PROTOCOL 3.3): who is admitted, under which statement, in the order of node names, and
// the digest by which a record commits to it. Immutable: what changes makes another.
import type { NodeName } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { leafHash, MerkleTree } from './merkle.ts';
import type { RosterChange, RosterIndex, RosterRow } from './roster.ts';

/** What makes another roster of one. */
export type Difference = Pick<RosterChange, 'put' | 'gone'>;

export class Members {
  /** In the order of node names. */
  readonly rows: RosterIndex;
  /** `rosterDigest`, hex. */
  readonly digest: string;
  readonly #tree: MerkleTree;

  private constructor(rows: RosterIndex, tree: MerkleTree) {
    this.rows = rows;
    this.digest = hex(tree.root);
    this.#tree = tree;
  }

  /** Rows in any order. Error: RangeError where a node stands there twice. */
  static of(rows: RosterIndex): Members {
    const inOrder = rows.toSorted((a, b) => (a.node < b.node ? -1 : 1));
    if (inOrder.some(({ node }, i) => inOrder[i + 1]?.node === node)) {
      throw new RangeError('a node stands in the roster twice');
    }
    return new Members(inOrder, MerkleTree.of(inOrder.map(leafOf)));
  }

  static readonly none = Members.of([]);

  get(node: NodeName): RosterRow | undefined {
    const row = this.rows[this.#placeOf(node)];
    return row?.node === node ? row : undefined;
  }

  /** The roster after a change. Rows that take the place of a node's own cost a path of the tree each. */
  changed({ put, gone }: Difference): Members {
    const rows = [...this.rows];
    const leaves = new Map<number, Buffer>();
    for (const row of put) {
      const place = this.#placeOf(row.node);
      if (rows[place]?.node !== row.node || gone.length > 0) return this.#changedAnew(put, gone);
      rows[place] = row;
      leaves.set(place, leafOf(row));
    }
    if (gone.length > 0) return this.#changedAnew(put, gone);
    return new Members(rows, this.#tree.replaced(leaves));
  }

  #changedAnew(put: RosterIndex, gone: readonly NodeName[]): Members {
    const leaves = new Map(
      this.rows.map((row, i) => [row.node, { row, leaf: this.#tree.leaves[i] }]),
    );
    for (const node of gone) leaves.delete(node);
    for (const row of put) leaves.set(row.node, { row, leaf: leafOf(row) });
    const inOrder = [...leaves.values()].toSorted((a, b) => (a.row.node < b.row.node ? -1 : 1));
    return new Members(
      inOrder.map(({ row }) => row),
      MerkleTree.of(inOrder.map(({ row, leaf }) => leaf ?? leafOf(row))),
    );
  }

  /** What makes this roster of `before`. */
  since(before: Members): Difference {
    const put = this.rows.filter((row) => {
      const had = before.get(row.node);
      return had?.sid !== row.sid || had.entry !== row.entry;
    });
    const gone = before.rows.filter(({ node }) => !this.get(node)).map(({ node }) => node);
    return { put, gone };
  }

  /** Where `node` stands, or would. */
  #placeOf(node: NodeName): number {
    let [from, to] = [0, this.rows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const { node: there } = this.rows[middle] ?? { node };
      if (there < node) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

function leafOf(row: RosterRow): Buffer {
  return leafHash(jcs(row));
}
