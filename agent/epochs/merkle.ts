// RFC 6962 Merkle tree hashes: the roster is committed to by one digest in each epoch record.
import { sha256, type Bytes } from '#agent/base/bytes.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** `MTH({d})` of one entry (RFC 6962 2.1), 32 bytes. */
export const leafHash = (data: Bytes): Buffer => sha256(LEAF, data);

/** Merkle tree hash over leaf hashes, in order; SHA-256 of nothing for none (RFC 6962 2.1). */
export function merkleRoot(leaves: readonly Bytes[]): Buffer {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  return subtree(leaves, 0, leaves.length);
}

function subtree(leaves: readonly Bytes[], from: number, to: number): Buffer {
  const n = to - from;
  if (n === 1) return Buffer.from(leaves[from] ?? new Uint8Array(0));
  const k = largestPowerOfTwoBelow(n);
  return sha256(NODE, subtree(leaves, from, from + k), subtree(leaves, from + k, to));
}

function largestPowerOfTwoBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
