// Whether a sequence of measurements is one that a policy allows: of each component in turn one alternative,
// whole and in order. By digests alone; it follows every choice at once, so that it never goes back.
import type { PolicyBank } from '#attest/owned.ts';
import type { PolicyAlternative, PolicyComponent, PolicyEvent } from './document.ts';

/** The digests of one register, in the order of the log. */
export interface Sequence {
  readonly pcr: number;
  /** Hex. */
  readonly digests: readonly string[];
}

export interface Walk {
  /** True when every sequence was used up. */
  readonly complete: boolean;
  /** The first measurement that no way got past; meaningful for one sequence alone. */
  readonly furthest: number;
  /** What could have stood there; undefined when nothing more was to come. */
  readonly expected: PolicyEvent | undefined;
}

export interface Terms {
  readonly components: readonly PolicyComponent[];
  readonly bank: PolicyBank;
  /** Unix milliseconds: alternatives announced for later do not count yet. */
  readonly atMs: number;
}

/** Ways that are followed at once; boots that a policy was made from have one. */
const MAX_WAYS = 4096;

/** How many measurements of each sequence are used up. */
type Way = readonly number[];

/** True from the moment for which the alternative was announced. */
export const isInEffect = ({ notBefore }: PolicyAlternative, atMs: number): boolean =>
  notBefore === undefined || notBefore <= atMs;

/** Walks the sequences through the components; those of other registers do not matter. */
export function walk(sequences: readonly Sequence[], { components, bank, atMs }: Terms): Walk {
  let furthest = 0;
  let expected: PolicyEvent | undefined;
  const blocked = (position: number, event: PolicyEvent): void => {
    if (position < furthest || (position === furthest && expected !== undefined)) return;
    [furthest, expected] = [position, event];
  };
  let ways: readonly Way[] = [sequences.map(() => 0)];
  for (const { alternatives } of components) {
    const next = new Map<string, Way>();
    for (const way of ways) {
      for (const alternative of alternatives) {
        if (!isInEffect(alternative, atMs)) continue;
        const after = advance(way, alternative, sequences, bank, blocked);
        if (after !== undefined && next.size < MAX_WAYS) next.set(after.join(), after);
      }
    }
    ways = [...next.values()];
    if (ways.length === 0) break;
  }
  const isDone = (way: Way): boolean =>
    sequences.every(({ digests }, i) => way[i] === digests.length);
  if (ways.some(isDone)) return { complete: true, furthest, expected: undefined };
  const end = Math.max(0, ...ways.map(([used = 0]) => used));
  return end > furthest
    ? { complete: false, furthest: end, expected: undefined }
    : { complete: false, furthest, expected };
}

/** Positions after the events of `alternative`, or undefined when one of them does not come next. */
function advance(
  way: Way,
  { events }: PolicyAlternative,
  sequences: readonly Sequence[],
  bank: PolicyBank,
  blocked: (position: number, event: PolicyEvent) => void,
): Way | undefined {
  const after = [...way];
  for (const event of events) {
    const i = sequences.findIndex(({ pcr }) => pcr === event.pcr);
    if (i < 0) continue;
    const position = after[i] ?? 0;
    if (sequences[i]?.digests[position] !== event.digests[bank]) {
      blocked(position, event);
      return undefined;
    }
    after[i] = position + 1;
  }
  return after;
}
