// What happens to lanes, as lines of the log in words an operator understands.
import type { LaneEvent } from '#proxy/control.ts';
import type { Log } from './log.ts';

/** One line an event: refusals are warnings, the rest is for debugging. */
export function logLaneEvent(log: Log, event: LaneEvent, dropped: number): void {
  const { at: _loggedAtOnce, ...rest } = event;
  const { kind, from, to, destination, reason, detail, peer } = rest;
  const ends = `${from ?? peer ?? 'unknown'} to ${to ?? destination ?? 'unknown'}`;
  const why = [reason, detail].filter(Boolean).join(': ');
  const text = `${kind} ${ends}${why === '' ? '' : ` (${why})`}`;
  const fields = { ...rest, text, ...(dropped > 0 ? { dropped } : {}) };
  log[kind === 'refused' ? 'warn' : 'debug'](`lane.${kind}`, fields);
}
