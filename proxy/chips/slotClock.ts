// Which slot it is (PROTOCOL 4): the monotonic clock, slewed towards wall time by at most a quarter
// of the time that passes. A step of the wall clock is reported and not followed. Sets no timer.
import { slotAt, type Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';

/** At most period/4 a slot, which is the same as this share of any time that passes. */
const MAX_SLEW = 0.25;
/** Two clocks read one after the other differ by less without a suspend. */
const LEAST_SUSPEND_MS = 500;

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
  readonly #asleepMs: () => number;
  #lastAsleepMs: number;

  /**
   * Starts at the present wall time; `periodMs` is the cluster's and sets what counts as a step. `asleepMs` tells how
   * long the machine was suspended in all, which monotonic time leaves out.
   */
  constructor(clock: Clock, periodMs: number, asleepMs: () => number = () => 0) {
    this.#clock = clock;
    this.#asleepMs = asleepMs;
    this.#lastAsleepMs = asleepMs();
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

  /** Counts what the machine has been suspended since the last call, and returns it: milliseconds, 0 if it was not. */
  noticeSuspend(): number {
    const passed = this.#asleepMs() - this.#lastAsleepMs;
    if (passed < LEAST_SUSPEND_MS) return 0;
    this.timeMs();
    this.#lastAsleepMs += passed;
    this.#timeMs += passed;
    return passed;
  }

  /** Whether slot time is behind `slot` and the wall clock is in it: vouched() would take that over. */
  agreesWith(slot: Slot, periodMs: number): boolean {
    const step = this.step();
    if (!step || step.offsetMs < 0 || slot <= this.slot(periodMs)) return false;
    return Math.abs(slotAt(this.#clock.wallMs(), periodMs) - slot) <= 1;
  }

  /**
   * Told that the cluster is in `slot` by somebody whom this node trusts: takes over wall time where that agrees and slot
   * time is behind both, as after a virtual machine was paused with all its clocks. True: it was taken over.
   */
  vouched(slot: Slot, periodMs: number): boolean {
    if (!this.agreesWith(slot, periodMs)) return false;
    this.adopt();
    this.#lastAsleepMs = this.#asleepMs(); // the wall clock has counted that sleep, too
    return true;
  }

  /**
   * Takes over wall time at once, when something else vouches for it: vouched(), or a snapshot whose keys are of later
   * slots. Slot time never goes back, so a wall clock that is behind changes nothing: keys of the slots it
   * names are erased, and only a new start of the process can count them again.
   */
  adopt(): void {
    const time = this.timeMs();
    this.#timeMs = Math.max(time, this.#clock.wallMs());
    this.#step = undefined;
    this.timeMs();
  }
}
