import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '#agent/base/bytes.ts';
import { leafHash, MerkleTree } from './merkle.ts';

// Inputs and roots of the Certificate Transparency reference implementation (RFC 6962 2.1.3).
const INPUTS = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const leavesOf = (inputs: readonly string[]): Buffer[] =>
  inputs.map((input) => leafHash(fromHex(input)));

describe('MerkleTree', () => {
  test.each(ROOTS.map((root, i) => [i + 1, root] as const))(
    'agrees with RFC 6962 for %i leaves',
    (n, root) => {
      expect(hex(MerkleTree.of(leavesOf(INPUTS.slice(0, n))).root)).toBe(root);
    },
  );

  test('of nothing is SHA-256 of nothing', () => {
    expect(hex(MerkleTree.of([]).root)).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  test('with leaves replaced is the tree of the leaves as they are then', () => {
    for (let n = 1; n <= INPUTS.length; n += 1) {
      const leaves = leavesOf(INPUTS.slice(0, n));
      const other = leavesOf(INPUTS.map((input) => `${input}ff`));
      for (let chosen = 0; chosen < 1 << n; chosen += 1) {
        const changes = new Map(
          [...leaves.keys()].flatMap((place) =>
            chosen & (1 << place) ? [[place, other[place]!] as const] : [],
          ),
        );
        const changed = leaves.map((leaf, place) => changes.get(place) ?? leaf);
        const tree = MerkleTree.of(leaves).replaced(changes);
        expect(tree.root).toEqual(MerkleTree.of(changed).root);
        expect(tree.leaves).toEqual(changed);
      }
    }
  });
});
