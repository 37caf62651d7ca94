// What becomes of connections, as lines of the log in words an operator understands.
import type { LaneEvent } from '#proxy/facts.ts';
import type { Log } from './log.ts';

/** One line an event; `dropped` events went before it that have no line. */
export function logLaneEvent(log: Log, event: LaneEvent, dropped: number): void {
  const { at: _loggedAtOnce, kind, ...fields } = event;
  const { from, to, destination, reason, detail, peer } = fields;
  const ends = `${from ?? peer ?? 'unknown'} to ${to ?? destination ?? 'unknown'}`;
  const why = detail === undefined ? reason : `${reason}: ${detail}`;
  const text = `${kind} ${ends} (${why})`;
  const line = { ...fields, text, ...(dropped > 0 && { dropped }) };
  if (kind === 'refused') log.warn('lane.refused', line);
  else log.info('lane.closed', line);
}
