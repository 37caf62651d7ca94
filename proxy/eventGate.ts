// Lets EVENTS_PER_SECOND of each kind of event through and counts the rest, so that no attack can flood
// the control channel or the log, and refusals do not crowd out the accounts of those let through.
import type { Clock } from '#agent/base/clock.ts';
import { EVENTS_PER_SECOND } from './control.ts';
import type { LaneEvent } from './facts.ts';
import { Meter } from './meter.ts';

export class EventGate {
  readonly #meters: Readonly<Record<LaneEvent['kind'], Meter>>;
  #dropped = 0;

  constructor(clock: Clock) {
    const meter = (): Meter => new Meter(EVENTS_PER_SECOND, clock);
    this.#meters = { closed: meter(), refused: meter() };
  }

  /** Counts events that a gate before this one left out. */
  leftOut(events: number): void {
    this.#dropped += events;
  }

  /** Calls `onward` with the event and how many were left out before it, or leaves this one out. */
  pass(event: LaneEvent, onward: (event: LaneEvent, dropped: number) => void): void {
    if (!this.#meters[event.kind].take()) {
      this.#dropped += 1;
      return;
    }
    onward(event, this.#dropped);
    this.#dropped = 0;
  }
}
