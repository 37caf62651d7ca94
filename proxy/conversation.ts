// What a worker may ask of any connection it carries, whatever is behind it.
import { Linked } from './linked.ts';
import type { Passage } from './passage.ts';
import type { Refused, Standing } from './routes.ts';
import { NO_SEAT } from './seats.ts';

/** Why this node ends a connection that did nothing wrong. */
export type CutReason = 'policy' | 'trust' | 'pod-gone' | 'keys' | 'half-closed' | 'shutdown';

/** A connection that was allowed and is alive. */
export abstract class Conversation extends Linked {
  /** Whose quotas it counts for; written where it joins the floor (carry.ts). */
  podSeat = NO_SEAT;
  calledSeat = NO_SEAT;
  peerSeat = NO_SEAT;
  /** What it was allowed for: judged again under each snapshot. */
  abstract readonly standing: Standing;
  /** Its account. */
  abstract readonly passage: Passage;
  /** The peer's statement that it is heard under now; undefined: none, or nothing more will be heard. */
  abstract readonly heardUnder: string | undefined;
  /** What has come waits for a slow application. */
  abstract readonly isHeldBack: boolean;
  /** Something waits for one of the ends, which is slow to read. */
  abstract readonly isBehind: boolean;
  /** An end has said all, and the connection has not ended. */
  abstract readonly isHalfClosed: boolean;
  /** A slot began or a snapshot came: renews keys where that is due. */
  abstract refresh(): void;
  /** Ends both sides at once; the application gets a RST. */
  abstract cut(why: CutReason): void;
}

/** Why a connection is cut that a snapshot objects to. */
export function cutReasonOf({ reason }: Refused): CutReason {
  if (reason === 'policy' || reason === 'no-agent') return 'policy';
  return reason === 'not-local' ? 'pod-gone' : 'trust';
}
