// Lets EVENTS_PER_SECOND of events through and counts the rest, so that no attack can flood the
// control channel or the log.
import type { Clock } from '#agent/base/clock.ts';
import { EVENTS_PER_SECOND, type LaneEvent } from './control.ts';
import { Meter } from './meter.ts';

export class EventGate {
  readonly #meter: Meter;
  #dropped = 0;

  constructor(clock: Clock) {
    this.#meter = new Meter(EVENTS_PER_SECOND, clock);
  }

  /** Counts events that a gate before this one left out. */
  leftOut(events: number): void {
    this.#dropped += events;
  }

  /** Calls `onward` with the event and how many were left out before it, or leaves this one out. */
  pass(event: LaneEvent, onward: (event: LaneEvent, dropped: number) => void): void {
    if (!this.#meter.take()) {
      this.#dropped += 1;
      return;
    }
    onward(event, this.#dropped);
    this.#dropped = 0;
  }
}
