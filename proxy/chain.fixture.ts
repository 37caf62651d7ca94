// For tests: chains that all nodes hold, from random keys.
import { randomBytes } from 'node:crypto';
import { slotAt, type ChainId, type Slot } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { tick } from '#proxy/chips/chain.ts';

/** A chain that both nodes hold, from its key at `slot`. */
export interface TestChain {
  readonly id: ChainId;
  readonly algorithm: number;
  readonly periodMs: number;
  readonly slot: Slot;
  readonly key: Buffer;
  readonly generation: number;
}

/** A new chain with random keys, in effect since before now. */
export const testChain = (periodMs: number, algorithm = 1, generation = 1): TestChain => ({
  id: hex(randomBytes(16)) as ChainId,
  algorithm,
  periodMs,
  slot: (slotAt(Date.now(), periodMs) - 1) as Slot,
  key: randomBytes(32),
  generation,
});

/** `chain(c, slot)` for a slot at or after the chain's own. */
export function chainKey(chain: TestChain, slot: Slot): Buffer {
  let key = chain.key;
  for (let at = chain.slot; at < slot; at = (at + 1) as Slot) key = tick(key, at);
  return key;
}
