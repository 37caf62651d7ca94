// Time that goes on only when a test says so, for many nodes at once: timers in order, each node with a wall clock that may
// be off. Work that takes real time, such as drawing keys, takes none of it.
import type { Clock } from '#agent/base/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly call: () => void;
}

/** A clock that stands still while its machine sleeps, but for the wall clock, which is right again afterwards. */
export interface NodeClock extends Clock {
  /** What it has slept in all, as a kernel counts it. */
  readonly asleepMs: () => number;
  readonly stop: () => void;
  readonly goOn: () => void;
}

export class SimulatedTime {
  #nowMs = 0;
  #order = 0;
  #timers: Timer[] = [];
  readonly #startMs: number;
  readonly #settled: () => Promise<void>;

  /** `settled` waits until everybody has done what they do at this moment. */
  constructor(startMs: number, settled: () => Promise<void>) {
    this.#startMs = startMs;
    this.#settled = settled;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(ms, 0), order: (this.#order += 1), call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** The clock of a node whose wall clock is `offsetMs()` ahead. Its timers go by its own monotonic time. */
  clock(offsetMs: () => number): NodeClock {
    let sleptMs = 0;
    let sinceMs: number | undefined;
    let missed: (() => void)[] = [];
    const monoMs = (): number => (sinceMs ?? this.#nowMs) - sleptMs;
    const after = (ms: number, callback: () => void): (() => void) => {
      const dueMs = monoMs() + ms;
      let isCancelled = false;
      let disarm: (() => void) | undefined;
      const arm = (): void => {
        disarm = this.after(dueMs - monoMs(), ring);
      };
      const ring = (): void => {
        if (isCancelled) return;
        if (sinceMs !== undefined) missed.push(arm);
        else if (monoMs() < dueMs) arm();
        else callback();
      };
      arm();
      return () => {
        isCancelled = true;
        disarm?.();
      };
    };
    return {
      wallMs: () => Math.floor(this.#startMs + (sinceMs ?? this.#nowMs) + offsetMs()),
      monoMs,
      after,
      asleepMs: () => sleptMs,
      stop: () => {
        sinceMs ??= this.#nowMs;
      },
      goOn: () => {
        sleptMs += this.#nowMs - (sinceMs ?? this.#nowMs);
        sinceMs = undefined;
        const woken = missed;
        missed = [];
        for (const arm of woken) arm();
      },
    };
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.#settled();
    for (;;) {
      const next = this.#timers
        .filter(({ atMs }) => atMs <= untilMs)
        .reduce<Timer | undefined>(
          (first, each) => (first && isBefore(first, each) ? first : each),
          undefined,
        );
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.call();
      await this.#settled();
    }
    this.#nowMs = untilMs;
  }
}

const isBefore = (a: Timer, b: Timer): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
