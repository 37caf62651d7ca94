// What a worker may ask of any connection it carries, whatever is behind it.
import type { ResetCode } from '#proxy/see/frames.ts';
import type { Refused, Standing } from './routes.ts';

/** A connection that was allowed and is alive. */
export interface Conversation {
  /** What it was allowed for: judged again under each snapshot. */
  readonly standing: Standing;
  /** The peer's statement that it is heard under now; undefined: none, or held back on purpose. */
  readonly heardUnder: string | undefined;
  /** A slot began or a snapshot came: renews keys where that is due. */
  refresh(): void;
  /** Ends both sides at once; the application gets a RST. */
  cut(code: ResetCode): void;
}

/** The code that tells the other end why a lane was cut. */
export function resetCodeOf({ reason }: Refused): ResetCode {
  if (reason === 'policy') return 'policy';
  return reason === 'not-local' ? 'application' : 'trust';
}
