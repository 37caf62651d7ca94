// Who takes part in the vectors: two nodes, what they share, and bytes in place of random ones. All of it
// follows from names, so that every run writes the same files.
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { concat, hex, sha256, u32, utf8 } from '#agent/base/bytes.ts';

/** `length` bytes that stand for random ones, always the same for one name. */
export function seed(name: string, length = 32): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, n) =>
    sha256(utf8(`tidelock vectors ${name}`), u32(n)),
  );
  return concat(...blocks).subarray(0, length);
}

const end = (node: string) => ({ node: node as NodeName, sid: hex(seed(node, 16)) as Sid });

export const DOMAIN = 'example.org';
export const CLUSTER = 'prod';
/** The node that opens lanes. */
export const SOURCE = end('node-a.example.org');
/** The node that they are opened to. */
export const RECEIVER = end('node-b');
export const PERIOD_MS = 10_000;
export const SLOT = 170_000_000 as Slot;
/** In the middle of SLOT. */
export const SENT_MS = SLOT * PERIOD_MS + PERIOD_MS / 2;
/** `chain(c, SLOT)`. */
export const CHAIN = seed('chain');
/** `pair(SOURCE, RECEIVER)`. */
export const PAIR = seed('pair');
