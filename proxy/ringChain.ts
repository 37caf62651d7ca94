// One chain of a snapshot as a worker holds it: its window, and what lanes under it are sealed with.
import { slotAt, type ChainId, type Slot } from '#agent/base/brands.ts';
import { chipsAlgorithm, type AeadName } from '#proxy/chips/registry.ts';
import { ChainWindow } from '#proxy/chips/window.ts';
import type { LiveChain } from './snapshot.ts';

/** A chain as this worker holds it. */
export interface RingChain {
  readonly id: ChainId;
  readonly generation: number;
  readonly periodMs: number;
  readonly atSlot: Slot;
  readonly aead: AeadName;
  readonly window: ChainWindow;
}

/**
 * The chain at slot time `timeMs`, its key copied; undefined: it is only named, its algorithm is not known
 * here, or its key was overwritten, as in a snapshot that was used before.
 */
export function ringChain(live: LiveChain | ChainId, timeMs: number): RingChain | undefined {
  if (typeof live === 'string') return undefined;
  const algorithm = chipsAlgorithm(live.algorithm);
  if (algorithm === undefined || live.key.every((byte) => byte === 0)) return undefined;
  const { id, generation, periodMs, atSlot, slot, key } = live;
  const window = new ChainWindow({ slot, key, now: slotAt(timeMs, periodMs) });
  return { id, generation, periodMs, atSlot, aead: algorithm.aead, window };
}
