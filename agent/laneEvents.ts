// What becomes of connections, as lines of the log in words an operator understands, and how many
// have none because there were too many (docs/logs.md).
import type { LaneEvent } from '#proxy/facts.ts';
import type { Log } from './log.ts';

export class LaneEvents {
  readonly #log: Log;
  #dropped = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Events without a line, as far as a later one has told. */
  get dropped(): number {
    return this.#dropped;
  }

  /** One line an event; `dropped` events before it have none. */
  take(event: LaneEvent, dropped: number): void {
    this.#dropped += dropped;
    const { at: _loggedSoon, kind, ...fields } = event;
    const { from, to, destination, reason, detail, peer } = fields;
    const ends = `${from ?? peer ?? 'unknown'} to ${to ?? destination ?? 'unknown'}`;
    const why = detail === undefined ? reason : `${reason}: ${detail}`;
    const line = { ...fields, text: `${kind} ${ends} (${why})`, ...(dropped > 0 && { dropped }) };
    if (kind === 'refused') this.#log.warn('lane.refused', line);
    else this.#log.info('lane.closed', line);
  }
}
