// When what is done to the cluster, by the length of the soak. Nothing of how.
import type { ActKind } from './windows.ts';

export interface Planned {
  readonly kind: ActKind;
  /** After the start of the load. */
  readonly atMs: number;
  /** What it is done to; undefined: whoever conducts, or the bus. */
  readonly node?: 'node-a' | 'node-b';
  /** How long, where that is ours to say. */
  readonly forMs?: number;
}

const OUTAGE_MS = 60_000;
/** Shorter soaks have each kind once. */
const ALL_FROM_MS = 120_000;

/** In order; an act that takes longer than planned puts off the next. */
export function scheduleOf(forMs: number): readonly Planned[] {
  const at = (share: number): number => Math.round(share * forMs);
  const outageMs = Math.min(OUTAGE_MS, at(0.12));
  const once: readonly Planned[] = [
    { kind: 'data-plane-crash', atMs: at(0.08), node: 'node-a' },
    { kind: 'worker-crash', atMs: at(0.14), node: 'node-b' },
    { kind: 'hand-over', atMs: at(0.2), node: 'node-b' },
    { kind: 'bus-outage', atMs: at(0.4), forMs: outageMs },
    { kind: 'conductor-change', atMs: at(0.58) },
  ];
  if (forMs < ALL_FROM_MS) return once;
  return [
    ...once,
    { kind: 'data-plane-crash', atMs: at(0.7), node: 'node-b' },
    { kind: 'hand-over', atMs: at(0.78), node: 'node-a' },
  ];
}
