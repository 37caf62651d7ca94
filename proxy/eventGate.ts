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

  /** Calls `onward` with how many were left out before this event, or leaves this one out too. */
  pass(kind: LaneEvent['kind'], onward: (dropped: number) => void): void {
    if (!this.#meters[kind].take()) {
      this.#dropped += 1;
      return;
    }
    onward(this.#dropped);
    this.#dropped = 0;
  }
}
