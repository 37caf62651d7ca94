// The timers of one thread, for a loop that asks when the next is due. Most timers of a lane are
// cancelled long before that: setting and cancelling touch a linked list each and nothing else.
import { Linked, LinkedList } from './linked.ts';

class Timer extends Linked {
  readonly dueMs: number;
  readonly callback: () => void;

  constructor(dueMs: number, callback: () => void) {
    super();
    this.dueMs = dueMs;
    this.callback = callback;
  }
}

/** Timers of one duration: in the order of their setting, which is that of their time. */
interface Duration {
  readonly ms: number;
  readonly timers: LinkedList<Timer>;
}

/** Durations in use differ little from day to day; beyond so many, those without a timer are forgotten. */
const MAX_IDLE_DURATIONS = 16;

export class Timers {
  #durations: Duration[] = [];

  /** Calls back once at the first run() from `nowMs + ms` on; the returned function cancels. */
  set(nowMs: number, ms: number, callback: () => void): () => void {
    const timer = new Timer(nowMs + ms, callback);
    const { timers } = this.#duration(ms);
    timers.add(timer);
    return () => void timers.delete(timer);
  }

  /** When the next one is due; Infinity: none is set. */
  nextMs(): number {
    let nextMs = Infinity;
    for (const { timers } of this.#durations) {
      if (timers.first && timers.first.dueMs < nextMs) nextMs = timers.first.dueMs;
    }
    return nextMs;
  }

  /** Calls what is due. */
  run(nowMs: number): void {
    for (const { timers } of this.#durations) {
      while (timers.first && timers.first.dueMs <= nowMs) {
        const { first } = timers;
        timers.delete(first);
        first.callback();
      }
    }
  }

  #duration(ms: number): Duration {
    const known = this.#durations.find((duration) => duration.ms === ms);
    if (known) return known;
    if (this.#durations.length >= MAX_IDLE_DURATIONS) {
      this.#durations = this.#durations.filter(({ timers }) => timers.size > 0);
    }
    const made = { ms, timers: new LinkedList<Timer>() };
    this.#durations.push(made);
    return made;
  }
}
