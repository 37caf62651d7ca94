// Which failure is the doing of which disturbance. One is excused when it was seen while a crash was
// under way, on a connection that the crash could have had: everything else is a failure of tidelock.
import type { Failure } from './account.ts';

export const ACT_KINDS = [
  'worker-crash',
  'data-plane-crash',
  'hand-over',
  'bus-outage',
  'conductor-change',
] as const;
export type ActKind = (typeof ACT_KINDS)[number];

/** Something that was done to the cluster, from its first moment until all was as before. */
export interface Act {
  readonly kind: ActKind;
  /** What it was done to: a node, or the bus. */
  readonly to: string;
  /** Wall time in ms. */
  readonly from: number;
  readonly until: number;
  /** What came of it, one clause. */
  readonly detail: string;
}

/** Whose connections are lost by design; all others must pass unseen. */
const EXCUSES: ReadonlySet<ActKind> = new Set(['worker-crash', 'data-plane-crash']);
/** A client says what it saw in its next turn, on a busy machine. */
const SEEN_WITHIN_MS = 1_000;

/** The act that excuses a failure; undefined: nothing does. */
export const excuseOf = (failure: Failure, acts: readonly Act[]): Act | undefined =>
  acts.find(
    ({ kind, from, until }) =>
      EXCUSES.has(kind) &&
      failure.at >= from &&
      failure.at <= until + SEEN_WITHIN_MS &&
      failure.openedAt <= until,
  );

/** The act that was under way at a time, whether it excuses or not. */
export const actAt = (at: number, acts: readonly Act[]): Act | undefined =>
  acts.find(({ from, until }) => at >= from && at <= until + SEEN_WITHIN_MS);
