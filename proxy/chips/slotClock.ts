// Which slot it is (PROTOCOL 4): the monotonic clock, slewed towards wall time by at most a quarter
// of the time that passes. A step of the wall clock is reported and not followed. Sets no timer.
import { slotAt, type Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';

/** At most period/4 a slot, which is the same as this share of any time that passes. */
const MAX_SLEW = 0.25;

/** A wall clock that is off by more than half a period; `offsetMs` = wall time minus slot time. */
export interface ClockStep {
  readonly offsetMs: number;
}

export class SlotClock {
  readonly #clock: Clock;
  readonly #maxStepMs: number;
  #lastMonoMs: number;
  #timeMs: number;
  #step: ClockStep | undefined;

  /** Starts at the present wall time; `periodMs` is the cluster's and sets what counts as a step. */
  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.#maxStepMs = periodMs / 2;
    this.#lastMonoMs = clock.monoMs();
    this.#timeMs = clock.wallMs();
  }

  /** The same clock, of which slot time is the wall time: for what must not expire by a step that is not followed. */
  asClock(): Clock {
    return {
      wallMs: () => Math.floor(this.timeMs()),
      monoMs: () => this.#clock.monoMs(),
      after: (ms, callback) => this.#clock.after(ms, callback),
    };
  }

  /** Slot time: unix milliseconds as slots count them. Never goes back. */
  timeMs(): number {
    const mono = this.#clock.monoMs();
    const passed = mono - this.#lastMonoMs;
    this.#lastMonoMs = mono;
    this.#timeMs += passed;
    const offsetMs = this.#clock.wallMs() - this.#timeMs;
    if (Math.abs(offsetMs) > this.#maxStepMs) {
      this.#step = { offsetMs };
    } else {
      this.#step = undefined;
      const most = passed * MAX_SLEW;
      this.#timeMs += Math.max(-most, Math.min(most, offsetMs));
    }
    return this.#timeMs;
  }

  /** The slot of a chain with this period. */
  slot(periodMs: number): Slot {
    return slotAt(this.timeMs(), periodMs);
  }

  /** Milliseconds of slot time until the next slot of this period begins, more than 0. */
  untilNextMs(periodMs: number): number {
    const time = this.timeMs();
    return (slotAt(time, periodMs) + 1) * periodMs - time;
  }

  /** The step seen at the last reading, if any: to be reported, with adopt() as the remedy. */
  step(): ClockStep | undefined {
    this.timeMs();
    return this.#step;
  }

  /**
   * Takes over wall time at once, when something else vouches for it: after a suspend (monotonic
   * time stands still meanwhile) the bus shows that the cluster is where the wall clock says.
   * Slot time never goes back, so a wall clock that is behind changes nothing: keys of the slots it
   * names are erased, and only a new start of the process can count them again.
   */
  adopt(): void {
    const time = this.timeMs();
    this.#timeMs = Math.max(time, this.#clock.wallMs());
    this.#step = undefined;
    this.timeMs();
  }
}
